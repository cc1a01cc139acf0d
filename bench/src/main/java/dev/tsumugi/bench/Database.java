package dev.tsumugi.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;

/** The running platform's own database. */
final class Database {
    private Database() {}

    /** As the administrator, whom row-level security does not slow down. */
    static Connection connect(PlatformClient platform) throws SQLException {
        Path passwords = platform.home().resolve("postgres").resolve("passwords");
        try {
            Connection connection = DriverManager.getConnection(
                    "jdbc:postgresql://127.0.0.1:" + Locations.postgresPort(platform.port()) + "/tsumugi",
                    "postgres",
                    Files.readAllLines(passwords).getFirst());
            try (Statement statement = connection.createStatement()) {
                statement.execute("SET hnsw.iterative_scan = strict_order");
            }
            return connection;
        } catch (IOException e) {
            throw new BenchException("Cannot read " + passwords + ": " + e.getMessage(), e);
        }
    }
}
