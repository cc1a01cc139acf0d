package dev.tsumugi.trainer.jobs;

import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.trainer.adapters.AdapterPublisher;
import dev.tsumugi.trainer.adapters.CurrentAdapters;
import dev.tsumugi.trainer.adapters.QueryAdapters;
import dev.tsumugi.trainer.base.BaseModel;
import dev.tsumugi.trainer.gate.GateProperties;
import dev.tsumugi.trainer.mlflow.MlflowProperties;
import dev.tsumugi.trainer.mlflow.MlflowServer;
import dev.tsumugi.trainer.replicas.Replicas;
import dev.tsumugi.trainer.retrieval.Contexts;
import dev.tsumugi.trainer.sets.TrainingSets;
import java.time.Duration;
import javax.sql.DataSource;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.client.RestClient;
import tools.jackson.databind.json.JsonMapper;

@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({TrainerProperties.class, GateProperties.class, MlflowProperties.class})
class JobConfiguration {
    private static final Duration SEARCH_LIMIT = Duration.ofSeconds(30);
    private static final Duration EMBED_LIMIT = Duration.ofMinutes(2);
    private static final Duration LOOK_LIMIT = Duration.ofSeconds(2);

    @Bean
    Queues trainingQueues(
            DataSource dataSource,
            Jobs jobs,
            JobStore store,
            TrainingSets sets,
            InternalClients clients,
            BaseModel base,
            AdapterPublisher publisher,
            CurrentAdapters adapters,
            QueryAdapters queryAdapters,
            TrainerProperties properties,
            GateProperties margins,
            MlflowProperties mlflow,
            JsonMapper json) {
        Contexts contexts = new Contexts(
                new Replicas(clients, properties.retrieverUrls(), SEARCH_LIMIT),
                properties.retrievalWorkers(),
                sets::splitOfDocument);
        RestClient embedService = clients.client(properties.embedUrl().toString(), EMBED_LIMIT);
        JobRunner runner = new JobRunner(
                store,
                sets,
                new ServingLoad(
                        new Replicas(clients, properties.generatorUrls(), LOOK_LIMIT), properties.longestPause()),
                base,
                new JobPreparation(store, sets, contexts, json),
                new JobTraining(store, base, embedService, properties, json),
                new JobEvaluation(store, base, adapters, queryAdapters, embedService, properties, margins),
                publisher,
                adapters,
                queryAdapters,
                new JobTracking(store, mlflow.url().isBlank() ? null : new MlflowServer(mlflow.url(), json), json),
                properties,
                json);
        return new Queues(dataSource, runner, jobs::fire, properties);
    }
}
