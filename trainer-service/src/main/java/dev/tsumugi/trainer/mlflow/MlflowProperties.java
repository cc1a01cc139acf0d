package dev.tsumugi.trainer.mlflow;

import java.net.URI;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Where finished jobs are recorded besides PostgreSQL.
 *
 * @param url of an MLflow tracking server; empty: nowhere
 */
@ConfigurationProperties("tsumugi.mlflow")
public record MlflowProperties(@DefaultValue("") String url) {

    /** @throws IllegalArgumentException when it is no address of a server */
    public MlflowProperties {
        if (!url.isBlank()) {
            URI address = URI.create(url);
            // The address is logged, so it must hold no password.
            if (address.getHost() == null || address.getUserInfo() != null || !isHttp(address)) {
                throw new IllegalArgumentException("tsumugi.mlflow.url (TSUMUGI_MLFLOW) must be like http://host:5000,"
                        + " without user and password");
            }
        }
    }

    private static boolean isHttp(URI address) {
        return "http".equals(address.getScheme()) || "https".equals(address.getScheme());
    }
}
