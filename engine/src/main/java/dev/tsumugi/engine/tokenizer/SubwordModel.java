package dev.tsumugi.engine.tokenizer;

/** Splits one pre-tokenized word into tokens. Implementations are safe for use by many threads. */
interface SubwordModel {
    void encode(String word, IntList ids);
}
