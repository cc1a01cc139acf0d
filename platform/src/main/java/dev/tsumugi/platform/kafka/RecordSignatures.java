package dev.tsumugi.platform.kafka;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * Signs records under the deployment's token, so that one that somebody else wrote to the topic is told apart. The header {@value #HEADER}
 * holds, in lower-case hexadecimal, HMAC-SHA256 over: the line {@code tsumugi-record-1} and a line feed; topic and key in UTF-8, each behind
 * its length in bytes as four bytes, big-endian; the byte 0 for a deletion, or the byte 1 and the value.
 */
public final class RecordSignatures {
    static final String HEADER = "tsumugi-signature";
    private static final String ALGORITHM = "HmacSHA256";
    private static final byte[] FORMAT = "tsumugi-record-1\n".getBytes(StandardCharsets.UTF_8);

    private final SecretKeySpec secret;

    RecordSignatures(String token) {
        secret = new SecretKeySpec(token.getBytes(StandardCharsets.UTF_8), ALGORITHM);
    }

    void sign(ProducerRecord<String, byte[]> record) {
        String signature = HexFormat.of().formatHex(signature(record.topic(), record.key(), record.value()));
        record.headers().add(HEADER, signature.getBytes(StandardCharsets.US_ASCII));
    }

    /** Whether the record is just as somebody with the deployment's token has sent it. */
    public boolean isGenuine(ConsumerRecord<String, byte[]> record) {
        Header given = record.headers().lastHeader(HEADER);
        if (given == null || given.value() == null || record.key() == null) {
            return false;
        }
        String expected = HexFormat.of().formatHex(signature(record.topic(), record.key(), record.value()));
        return MessageDigest.isEqual(expected.getBytes(StandardCharsets.US_ASCII), given.value());
    }

    private byte[] signature(String topic, String key, byte @Nullable [] value) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(secret);
            mac.update(FORMAT);
            for (String text : new String[] {topic, key}) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                mac.update(
                        ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
                mac.update(bytes);
            }
            mac.update((byte) (value == null ? 0 : 1));
            return value == null ? mac.doFinal() : mac.doFinal(value);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has " + ALGORITHM, e);
        }
    }
}
