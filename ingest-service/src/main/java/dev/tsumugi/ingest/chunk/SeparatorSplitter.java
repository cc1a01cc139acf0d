package dev.tsumugi.ingest.chunk;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * Cuts text at separators exactly as LangChain's {@code CharacterTextSplitter} (one separator) and {@code RecursiveCharacterTextSplitter}
 * (several, tried in order on what is still too long) do, so that an index built with them can be rebuilt here. Sizes are what
 * {@code length} counts, code points by default. Chunks are stripped of white space.
 */
final class SeparatorSplitter {
    /** Whether a separator is dropped, or stays with the text behind or before it. */
    enum Keep {
        NOT,
        AT_START,
        AT_END
    }

    private final int size;
    private final int overlap;
    private final List<String> separators;
    private final Keep keep;
    private final boolean recursive;
    private final ToIntFunction<String> length;

    SeparatorSplitter(
            int size,
            int overlap,
            List<String> separators,
            Keep keep,
            boolean recursive,
            ToIntFunction<String> length) {
        this.size = size;
        this.overlap = overlap;
        this.separators = List.copyOf(separators);
        this.keep = keep;
        this.recursive = recursive;
        this.length = length;
    }

    static SeparatorSplitter recursive(int size, int overlap, List<String> separators, ToIntFunction<String> length) {
        return new SeparatorSplitter(size, overlap, separators, Keep.AT_START, true, length);
    }

    static SeparatorSplitter character(int size, int overlap, String separator, ToIntFunction<String> length) {
        return new SeparatorSplitter(size, overlap, List.of(separator), Keep.NOT, false, length);
    }

    boolean fitsOverlap(String text) {
        return length.applyAsInt(text) <= overlap;
    }

    List<String> split(String text) {
        if (recursive) {
            return split(text, separators);
        }
        String separator = separators.getFirst();
        return merge(pieces(text, separator), keep == Keep.NOT ? separator : "");
    }

    static int codePoints(String text) {
        return text.codePointCount(0, text.length());
    }

    private List<String> split(String text, List<String> candidates) {
        String separator = candidates.getLast();
        List<String> finer = List.of();
        for (int i = 0; i < candidates.size(); i++) {
            String candidate = candidates.get(i);
            if (candidate.isEmpty() || text.contains(candidate)) {
                separator = candidate;
                finer = candidate.isEmpty() ? List.of() : candidates.subList(i + 1, candidates.size());
                break;
            }
        }
        String joint = keep == Keep.NOT ? separator : "";
        List<String> chunks = new ArrayList<>();
        List<String> small = new ArrayList<>();
        for (String piece : pieces(text, separator)) {
            if (length.applyAsInt(piece) < size) {
                small.add(piece);
                continue;
            }
            chunks.addAll(merge(small, joint));
            small.clear();
            if (finer.isEmpty()) {
                chunks.add(piece);
            } else {
                chunks.addAll(split(piece, finer));
            }
        }
        chunks.addAll(merge(small, joint));
        return chunks;
    }

    /** The text between separators, without empty pieces. */
    private List<String> pieces(String text, String separator) {
        List<String> pieces = new ArrayList<>();
        if (separator.isEmpty()) {
            text.codePoints().forEach(c -> pieces.add(Character.toString(c)));
            return pieces;
        }
        int start = 0;
        int from = 0;
        for (int at = text.indexOf(separator, from); at >= 0; at = text.indexOf(separator, from)) {
            int cut = keep == Keep.AT_END ? at + separator.length() : at;
            addUnlessEmpty(pieces, text.substring(start, cut));
            start = keep == Keep.AT_START ? at : at + separator.length();
            from = at + separator.length();
        }
        addUnlessEmpty(pieces, text.substring(start));
        return pieces;
    }

    private static void addUnlessEmpty(List<String> pieces, String piece) {
        if (!piece.isEmpty()) {
            pieces.add(piece);
        }
    }

    /** Joins pieces up to the size; the next chunk begins with those at the end of the last one that fit into the overlap. */
    private List<String> merge(List<String> pieces, String joint) {
        int jointLength = length.applyAsInt(joint);
        List<String> chunks = new ArrayList<>();
        java.util.ArrayDeque<String> current = new java.util.ArrayDeque<>();
        int total = 0;
        for (String piece : pieces) {
            int pieceLength = length.applyAsInt(piece);
            if (total + pieceLength + (current.isEmpty() ? 0 : jointLength) > size && !current.isEmpty()) {
                addStripped(chunks, String.join(joint, current));
                while (total > overlap
                        || total + pieceLength + (current.isEmpty() ? 0 : jointLength) > size && total > 0) {
                    total -= length.applyAsInt(current.getFirst()) + (current.size() > 1 ? jointLength : 0);
                    current.removeFirst();
                }
            }
            current.addLast(piece);
            total += pieceLength + (current.size() > 1 ? jointLength : 0);
        }
        addStripped(chunks, String.join(joint, current));
        return chunks;
    }

    private static void addStripped(List<String> chunks, String chunk) {
        int start = 0;
        int end = chunk.length();
        while (start < end && isBlank(chunk.charAt(start))) {
            start++;
        }
        while (end > start && isBlank(chunk.charAt(end - 1))) {
            end--;
        }
        if (start < end) {
            chunks.add(chunk.substring(start, end));
        }
    }

    private static boolean isBlank(char c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c);
    }
}
