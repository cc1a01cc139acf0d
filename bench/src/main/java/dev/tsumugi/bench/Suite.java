package dev.tsumugi.bench;

import java.util.function.Consumer;

/** A named group of figures. */
interface Suite {
    String name();

    String description();

    /** Checks the answers, measures, and hands over each figure as soon as it is there. */
    void run(int runs, Consumer<Figure> figures);
}
