package dev.tsumugi.retriever;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.retriever.embedding.EmbedClient;
import dev.tsumugi.retriever.embedding.QueryEmbeddings;
import dev.tsumugi.retriever.index.DocumentIndexer;
import dev.tsumugi.retriever.tenancy.RowSecurityCheck;
import dev.tsumugi.retriever.tenancy.TenantTransactions;
import dev.tsumugi.retriever.terms.TermAnalyzer;
import java.time.Clock;
import java.time.Duration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.PlatformTransactionManager;

@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(RetrieverProperties.class)
class RetrieverConfiguration {
    /** Longer, and a search is better off without a vector. */
    private static final Duration QUERY_TIMEOUT = Duration.ofSeconds(10);

    @Bean
    Clock clock() {
        return Clock.systemUTC();
    }

    @Bean
    TermAnalyzer termAnalyzer() {
        return new TermAnalyzer();
    }

    @Bean
    TenantTransactions tenantTransactions(PlatformTransactionManager transactions, JdbcTemplate jdbc) {
        return new TenantTransactions(transactions, jdbc);
    }

    @Bean
    RowSecurityCheck rowSecurityCheck(JdbcTemplate jdbc) {
        return new RowSecurityCheck(jdbc);
    }

    @Bean
    EmbedClient embedClient(InternalClients clients, RetrieverProperties properties) {
        return new EmbedClient(clients.client(properties.embedUrl(), properties.embedTimeout()));
    }

    @Bean
    QueryEmbeddings queryEmbeddings(InternalClients clients, RetrieverProperties properties, Clock clock) {
        return new QueryEmbeddings(new EmbedClient(clients.client(properties.embedUrl(), QUERY_TIMEOUT)), clock);
    }

    @Bean
    RecordWorkers chunkEmbeddingsWorkers(
            RecordWorkersFactory factory,
            EventCodec codec,
            EventPublisher publisher,
            DocumentIndexer indexer,
            EmbedClient embedClient,
            Clock clock,
            RetrieverProperties properties) {
        ChunkEmbeddingsHandler handler = new ChunkEmbeddingsHandler(codec, publisher, indexer, embedClient, clock);
        return factory.create(Topics.CHUNK_EMBEDDINGS, "retriever-service", properties.workers(), handler);
    }
}
