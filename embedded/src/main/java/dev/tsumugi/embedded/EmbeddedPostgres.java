package dev.tsumugi.embedded;

import dev.tsumugi.embedded.downloads.Downloads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * A PostgreSQL 18 with pgvector of our own, without Docker: a child process that listens on the loopback address and ends with this
 * process, also when this process is killed. Committed rows survive a {@code kill -9} of either.
 *
 * <pre>{@code
 * try (var postgres = EmbeddedPostgres.temporary()) {
 *     DriverManager.getConnection(postgres.jdbcUrl(), postgres.username(), postgres.password());
 * }
 * }</pre>
 *
 * Services connect as an ordinary role that owns its database and may create roles and databases: row-level security holds for it (with
 * {@code FORCE ROW LEVEL SECURITY}). The extension {@code vector} is installed in the schema {@code public} of every database made here.
 */
public final class EmbeddedPostgres implements AutoCloseable {
    /** The role that owns the databases. */
    public static final String USERNAME = "tsumugi";

    static final String SUPERUSER = "postgres";

    private final PostgresServer server;
    private final String database;
    private final @Nullable TemporaryFolder temporary;

    private EmbeddedPostgres(PostgresServer server, String database, @Nullable TemporaryFolder temporary) {
        this.server = server;
        this.database = database;
        this.temporary = temporary;
    }

    /** A fresh server on a free port, not synced to disk, in a folder that is removed on close. */
    public static EmbeddedPostgres temporary() {
        TemporaryFolder folder = TemporaryFolder.create("postgres");
        try {
            return new Builder(folder.path()).durable(false).start(folder);
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /**
     * A temporary server that all tests of this process share; it is started by the first caller and ends with the process. Take a
     * {@linkplain #createDatabase database of your own} in it. Do not close it.
     */
    public static EmbeddedPostgres shared() {
        return Shared.INSTANCE;
    }

    /** A server whose data stays in {@code folder}. */
    public static Builder builder(Path folder) {
        return new Builder(folder.toAbsolutePath().normalize());
    }

    /**
     * Why PostgreSQL could not use this existing folder, if so: it runs as another account when we are root.
     *
     * @return for people, with what to do
     */
    public static Optional<String> obstacle(Path folder) {
        try {
            Account account = Account.forPostgres();
            return account.isOther() && !account.canEnter(folder)
                    ? Optional.of(
                            "the account nobody, which runs PostgreSQL for root, may not enter it; choose a folder that everybody"
                                    + " may enter, such as /var/lib/tsumugi")
                    : Optional.empty();
        } catch (EmbeddedStartException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** URL of the database named at the start, without user and password. */
    public String jdbcUrl() {
        return jdbcUrl(database);
    }

    /** URL of another database of this server. */
    public String jdbcUrl(String otherDatabase) {
        return "jdbc:postgresql://127.0.0.1:" + server.port() + "/" + otherDatabase;
    }

    /** Who owns the database. */
    public String username() {
        return USERNAME;
    }

    public String password() {
        return server.passwords().owner();
    }

    public int port() {
        return server.port();
    }

    /** Process id of the postmaster. */
    public long pid() {
        return server.postmasterPid();
    }

    /** True until the server ends, by {@link #close()} or by itself. */
    public boolean isRunning() {
        return server.isAlive();
    }

    /** A connection as {@link #username()} to {@link #jdbcUrl()}. */
    public Connection connect() throws SQLException {
        return DriverManager.getConnection(jdbcUrl(), username(), password());
    }

    /**
     * Creates an empty database with the extension {@code vector}, unless it is there.
     *
     * @param name lower-case letters, digits and underscores
     * @return its URL
     */
    public String createDatabase(String name) {
        if (!name.matches("[a-z_][a-z0-9_]{0,62}")) {
            throw new IllegalArgumentException(
                    "A database name is at most 63 lower-case letters, digits and underscores, not " + name);
        }
        try {
            try (Connection connection = superuser(SUPERUSER);
                    Statement statement = connection.createStatement()) {
                if (!exists(statement, "SELECT 1 FROM pg_database WHERE datname = '" + name + "'")) {
                    statement.execute("CREATE DATABASE " + name + " OWNER " + USERNAME);
                }
            }
            try (Connection connection = superuser(name);
                    Statement statement = connection.createStatement()) {
                statement.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public");
            }
        } catch (SQLException e) {
            throw new EmbeddedStartException("Cannot create the database " + name + ": " + e.getMessage(), e);
        }
        return jdbcUrl(name);
    }

    private void createOwner() {
        // The password is hexadecimal digits of our own making, so it needs no quoting.
        String options = " LOGIN CREATEDB CREATEROLE PASSWORD '" + password() + "'";
        try (Connection connection = superuser(SUPERUSER);
                Statement statement = connection.createStatement()) {
            boolean known = exists(statement, "SELECT 1 FROM pg_roles WHERE rolname = '" + USERNAME + "'");
            statement.execute((known ? "ALTER ROLE " : "CREATE ROLE ") + USERNAME + options);
        } catch (SQLException e) {
            throw new EmbeddedStartException("Cannot create the role " + USERNAME + ": " + e.getMessage(), e);
        }
    }

    private Connection superuser(String inDatabase) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", SUPERUSER);
        properties.setProperty("password", server.passwords().superuser());
        return DriverManager.getConnection(jdbcUrl(inDatabase), properties);
    }

    private static boolean exists(Statement statement, String query) throws SQLException {
        try (ResultSet rows = statement.executeQuery(query)) {
            return rows.next();
        }
    }

    /** Stops the server cleanly (seconds at most) and removes a temporary folder. */
    @Override
    public void close() {
        server.stop();
        if (temporary != null) {
            temporary.close();
        }
    }

    private static final class Shared {
        static final EmbeddedPostgres INSTANCE = EmbeddedPostgres.temporary();

        static {
            Runtime.getRuntime().addShutdownHook(new Thread(INSTANCE::close, "shared-postgres-close"));
        }

        private Shared() {}
    }

    /** What can be chosen; everything has a default. */
    public static final class Builder {
        private final Path folder;
        private int port;
        private String database = USERNAME;
        private boolean durable = true;
        private int maxConnections = 100;
        private Duration leftoversLimit = PostgresServer.LEFTOVERS_LIMIT;
        private @Nullable Path installation;
        private @Nullable Path log;

        private Builder(Path folder) {
            this.folder = folder;
        }

        /** Port on the loopback address; 0, the default, takes a free one. */
        public Builder port(int value) {
            this.port = value;
            return this;
        }

        /** Database that is created at the start; default {@code tsumugi}. */
        public Builder database(String name) {
            this.database = name;
            return this;
        }

        /** False gives up crash safety for speed; for tests. */
        public Builder durable(boolean value) {
            this.durable = value;
            return this;
        }

        public Builder maxConnections(int value) {
            this.maxConnections = value;
            return this;
        }

        /** How long to wait for a server of a killed process to vanish. */
        Builder leftoversLimit(Duration value) {
            this.leftoversLimit = value;
            return this;
        }

        /** Folder with {@code bin/postgres}; by default {@link Downloads#postgres()} of the default cache, fetched if needed. */
        public Builder installation(Path home) {
            this.installation = home;
            return this;
        }

        /** Where the server's log goes; default {@code postgres.log} in the folder. */
        public Builder log(Path file) {
            this.log = file;
            return this;
        }

        /**
         * Starts the server and waits until it accepts connections.
         *
         * @throws EmbeddedStartException with what to do
         */
        public EmbeddedPostgres start() {
            return start(null);
        }

        private EmbeddedPostgres start(@Nullable TemporaryFolder temporary) {
            Account account = Account.forPostgres();
            PostgresInstallation programs = temporary != null && installation == null
                    ? PostgresInstallation.forTemporaryServer(account)
                    : PostgresInstallation.reachableBy(
                            account,
                            installation != null
                                    ? installation
                                    : Downloads.inDefaultCache().postgres(),
                            folder.resolve("programs"));
            try {
                Files.createDirectories(folder);
                PostgresServer server = new PostgresServer(
                        programs,
                        account,
                        folder,
                        log != null ? log : folder.resolve("postgres.log"),
                        durable,
                        maxConnections,
                        leftoversLimit);
                server.start(port);
                EmbeddedPostgres postgres = new EmbeddedPostgres(server, database, temporary);
                try {
                    postgres.createOwner();
                    postgres.createDatabase(database);
                    return postgres;
                } catch (RuntimeException e) {
                    server.stop();
                    throw e;
                }
            } catch (IOException e) {
                throw new EmbeddedStartException("Cannot use " + folder + " for PostgreSQL: " + e, e);
            }
        }
    }
}
