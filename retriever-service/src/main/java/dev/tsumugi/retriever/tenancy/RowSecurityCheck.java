package dev.tsumugi.retriever.tenancy;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.InitializingBean;
import org.springframework.jdbc.core.JdbcTemplate;

/** Says at start when the database role is one that PostgreSQL lets pass row-level security. */
public final class RowSecurityCheck implements InitializingBean {
    private static final Logger log = LoggerFactory.getLogger(RowSecurityCheck.class);

    private final JdbcTemplate jdbc;

    public RowSecurityCheck(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    @Override
    public void afterPropertiesSet() {
        if (Boolean.TRUE.equals(jdbc.queryForObject(
                "select rolsuper or rolbypassrls from pg_roles where rolname = current_user", Boolean.class))) {
            log.warn(
                    "the database role {} passes row-level security, so that only the queries of this service keep tenants apart; "
                            + "let it connect as an ordinary role that owns the schema 'retriever'",
                    jdbc.queryForObject("select current_user", String.class));
        }
    }
}
