package dev.tsumugi.retriever.tenancy;

import dev.tsumugi.platform.web.Caller;
import java.util.function.Supplier;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.PreparedStatementCallback;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Runs work in a transaction that tells PostgreSQL's row-level security for whom it reads. Outside of one no row can be seen or
 * written.
 */
public final class TenantTransactions {
    /**
     * With {@code iterative_scan} the index goes on beyond {@code ef_search} candidates until enough of them pass the filters; without,
     * a tenant or an ACL that holds few of all chunks would get few or no results. It remembers what it saw, about 210 bytes a chunk: with the
     * memory that PostgreSQL gives it by default it stops at a fifth of {@code max_scan_tuples}.
     */
    private static final String SETTINGS = """
            select set_config('tsumugi.tenant', ?, true),
                   set_config('tsumugi.reads_all', ?, true),
                   set_config('tsumugi.principals', ?, true),
                   set_config('hnsw.iterative_scan', 'strict_order', true),
                   set_config('hnsw.ef_search', '100', true),
                   set_config('hnsw.max_scan_tuples', '100000', true),
                   set_config('hnsw.scan_mem_multiplier', '8', true)
            """;

    /** Else a document's version that is replaced between two statements of a search would be found in neither form. */
    private static final String ONE_SNAPSHOT = "set transaction isolation level repeatable read;\n";

    private final JdbcTemplate jdbc;
    private final TransactionTemplate reading;
    private final TransactionTemplate writing;

    public TenantTransactions(PlatformTransactionManager transactions, JdbcTemplate jdbc) {
        this.jdbc = jdbc;
        reading = new TransactionTemplate(transactions);
        reading.setReadOnly(true);
        writing = new TransactionTemplate(transactions);
    }

    /** What {@code caller} may read, all of it as it is at the same moment. */
    public <T> T read(Caller caller, Supplier<T> work) {
        return run(reading, ONE_SNAPSHOT + SETTINGS, caller, work);
    }

    /** Everything of {@code tenant}, for the service's own work. */
    public <T> T write(String tenant, Supplier<T> work) {
        return run(writing, SETTINGS, Caller.administrator(tenant), work);
    }

    /** @param settings statements for one round trip */
    private <T> T run(TransactionTemplate template, String settings, Caller caller, Supplier<T> work) {
        return template.execute(status -> {
            jdbc.execute(settings, (PreparedStatementCallback<Boolean>) statement -> {
                statement.setString(1, caller.tenant());
                statement.setString(2, Boolean.toString(caller.readsAll()));
                statement.setString(3, PostgresArrays.literal(caller.principals()));
                return statement.execute();
            });
            return work.get();
        });
    }
}
