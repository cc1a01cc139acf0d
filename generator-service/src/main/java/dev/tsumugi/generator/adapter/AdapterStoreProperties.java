package dev.tsumugi.generator.adapter;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Where adapters come from.
 *
 * @param adapterStore folder in which the trainer stores them, where both run on one machine; empty: they are fetched from the trainer
 */
@ConfigurationProperties("tsumugi.generator")
record AdapterStoreProperties(
        @DefaultValue("") String adapterStore,
        @DefaultValue("http://localhost:8085") String trainerUrl) {}
