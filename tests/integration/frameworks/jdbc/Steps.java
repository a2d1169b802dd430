// Steps.java MODE PORT DATABASE - what a JDBC application does (a bank and its ledger, by
// MariaDB Connector/J: text and server-side prepared), as a transcript that is the same on
// every server. MODE forced: tables get comments for shardd.
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;

public class Steps {
    interface Step { void run() throws Exception; }

    static Connection c;
    static boolean forced;

    static void say(Object... words) {
        StringBuilder line = new StringBuilder("   ");
        for (Object w : words) line.append(' ').append(w);
        System.out.println(line);
    }

    static void step(String name, Step s) throws SQLException {
        System.out.println(name);
        try {
            s.run();
        } catch (SQLException e) {
            System.out.println("    ERROR " + e.getClass().getSimpleName() + " " + e.getErrorCode()
                               + " " + e.getSQLState());
            System.err.println(name + ": " + e.getMessage());
        } catch (Exception e) {
            System.out.println("    ERROR " + e);
        }
        if (!c.getAutoCommit()) {
            c.rollback();
            c.setAutoCommit(true);
        }
    }

    static String wish(String text) { return forced ? " COMMENT 'shardd: " + text + "'" : ""; }

    static void run(String sql) throws SQLException {
        try (Statement s = c.createStatement()) { s.execute(sql); }
    }

    static List<String> rows(String sql, Object... args) throws SQLException {
        try (PreparedStatement p = c.prepareStatement(sql)) {
            for (int i = 0; i < args.length; i++) p.setObject(i + 1, args[i]);
            try (ResultSet r = p.executeQuery()) {
                List<String> out = new ArrayList<>();
                while (r.next()) {
                    StringBuilder row = new StringBuilder();
                    for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
                        row.append(i > 1 ? "," : "").append(r.getObject(i));
                    out.add(row.toString());
                }
                return out;
            }
        }
    }

    static void tables() throws SQLException {
        run("CREATE TABLE currency (code CHAR(3) PRIMARY KEY, name VARCHAR(40))"
            + wish("reference"));
        run("CREATE TABLE account (id BIGINT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(60) NOT NULL, "
            + "code CHAR(3) NOT NULL, cents BIGINT NOT NULL DEFAULT 0, opened DATETIME(6), "
            + "KEY (owner))" + wish("key(id)"));
        run("CREATE TABLE entry (account BIGINT, line INT, cents BIGINT NOT NULL, note TEXT, "
            + "PRIMARY KEY (account, line), FOREIGN KEY (account) REFERENCES account (id))"
            + wish("key(account)"));
        run("CREATE TABLE thing (id INT PRIMARY KEY, d DECIMAL(20,6), f DOUBLE, t TIME(3), y DATE, "
            + "b BLOB, u BIGINT UNSIGNED, bits BIT(9), e ENUM('a','b'), j JSON, yes BOOLEAN)"
            + wish("key(id)"));
    }

    static void fill() throws SQLException {
        run("INSERT INTO currency VALUES ('EUR','euro'),('USD','dollar')");
        c.setAutoCommit(false);
        int keys = 0;
        try (PreparedStatement p = c.prepareStatement(
                "INSERT INTO account (owner, code, opened) VALUES (?, ?, ?)",
                Statement.RETURN_GENERATED_KEYS);
             PreparedStatement e = c.prepareStatement("INSERT INTO entry VALUES (?, ?, ?, ?)")) {
            for (int i = 0; i < 30; i++) {
                p.setString(1, String.format("owner %02d", i));
                p.setString(2, i % 3 == 0 ? "USD" : "EUR");
                p.setTimestamp(3, Timestamp.valueOf("2026-01-02 03:04:05.000" + (100 + i)));
                p.executeUpdate();
                try (ResultSet k = p.getGeneratedKeys()) {
                    k.next();
                    keys++;
                    for (int line = 0; line < 3; line++) {
                        e.setLong(1, k.getLong(1));
                        e.setInt(2, line);
                        e.setLong(3, 100 * i + line);
                        e.setString(4, "entry ä€ " + line);
                        e.addBatch();
                    }
                }
            }
            say(keys, e.executeBatch().length);
        }
        c.commit();
        c.setAutoCommit(true);
        say(rows("SELECT COUNT(*), SUM(cents) FROM entry"), rows("SELECT COUNT(*) FROM account"));
    }

    static void types() throws SQLException {
        try (PreparedStatement p = c.prepareStatement(
                "INSERT INTO thing VALUES (?,?,?,?,?,?,?,?,?,?,?)")) {
            for (int i = 0; i < 12; i++) {
                p.setInt(1, i);
                p.setBigDecimal(2, new BigDecimal("1234567890123.456789").multiply(BigDecimal.valueOf(i)));
                p.setDouble(3, i / 7.0);
                p.setString(4, "12:0" + i % 10 + ":01.5");
                p.setDate(5, java.sql.Date.valueOf("2026-02-0" + (1 + i % 9)));
                p.setBytes(6, new byte[] {0, (byte) i, -1});
                p.setBigDecimal(7, new BigDecimal("18446744073709551615"));
                p.setBytes(8, new byte[] {1, (byte) i});
                p.setString(9, i % 2 == 0 ? "a" : "b");
                p.setString(10, "{\"n\":" + i + "}");
                p.setBoolean(11, i % 2 == 0);
                p.addBatch();
            }
            say(p.executeBatch().length);
        }
        say(rows("SELECT id, d, f, t, y, u, e, j, yes FROM thing ORDER BY id"));
        try (Statement s = c.createStatement();
             ResultSet r = s.executeQuery("SELECT b, bits, y FROM thing WHERE id = 7")) {
            r.next();
            say(Arrays.toString(r.getBytes(1)), Arrays.toString(r.getBytes(2)), r.getDate(3));
            ResultSetMetaData m = r.getMetaData();
            for (int i = 1; i <= 3; i++)
                say(m.getColumnName(i), m.getColumnTypeName(i), m.getTableName(i), m.isNullable(i));
        }
    }

    static void queries() throws SQLException {
        say(rows("SELECT a.owner, SUM(e.cents) FROM account a JOIN entry e ON e.account = a.id "
                 + "GROUP BY a.owner ORDER BY 2 DESC, 1 LIMIT 4"));
        say(rows("SELECT owner FROM account WHERE owner BETWEEN ? AND ? ORDER BY owner", "owner 05",
                 "owner 08"));
        say(rows("SELECT code, MIN(owner), MAX(opened), AVG(cents) FROM account GROUP BY code "
                 + "HAVING COUNT(*) > ? ORDER BY code", 3));
        say(rows("SELECT DISTINCT note FROM entry ORDER BY note"),
            rows("SELECT owner FROM account ORDER BY opened DESC LIMIT ? OFFSET ?", 3, 2));
        say(rows("SELECT owner FROM account a WHERE EXISTS (SELECT * FROM entry e WHERE e.account = "
                 + "a.id AND e.cents > ?) ORDER BY owner", 2800));
        try (Statement s = c.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
            s.setFetchSize(7);
            int n = 0;
            try (ResultSet r = s.executeQuery("SELECT * FROM entry")) { while (r.next()) n++; }
            say(n);
        }
    }

    static long account(String owner) throws SQLException {
        return Long.parseLong(rows("SELECT id FROM account WHERE owner = ?", owner).get(0));
    }

    static void move(String from, String to, long cents) throws SQLException {
        try (PreparedStatement p = c.prepareStatement("UPDATE account SET cents = cents + ? WHERE id = ?")) {
            p.setLong(1, -cents);
            p.setLong(2, account(from));
            p.addBatch();
            p.setLong(1, cents);
            p.setLong(2, account(to));
            p.addBatch();
            say(Arrays.toString(p.executeBatch()));
        }
    }

    static void transactions() throws SQLException {
        c.setAutoCommit(false);
        for (int i = 1; i < 10; i++) move("owner 00", String.format("owner %02d", i), i);
        Savepoint here = c.setSavepoint("here");
        run("UPDATE account SET cents = 0");
        say(rows("SELECT SUM(cents), MAX(cents) FROM account"));
        c.rollback(here);
        c.releaseSavepoint(here);
        c.commit();
        move("owner 01", "owner 02", 1000);
        c.rollback();
        say(rows("SELECT owner, cents FROM account WHERE cents <> 0 ORDER BY owner"));
        c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        say(c.getTransactionIsolation(), rows("SELECT COUNT(*) FROM account FOR UPDATE"));
        c.rollback();
        c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        c.setReadOnly(true);
        say(c.isReadOnly(), rows("SELECT COUNT(*) FROM currency"));
        c.rollback();
        c.setReadOnly(false);
    }

    static void metadata() throws SQLException {
        DatabaseMetaData m = c.getMetaData();
        say(m.getDatabaseProductName(), m.supportsTransactions());
        try (ResultSet r = m.getTables(c.getCatalog(), null, "%", new String[] {"TABLE"})) {
            while (r.next()) say(r.getString("TABLE_NAME"), r.getString("TABLE_TYPE"));
        }
        try (ResultSet r = m.getColumns(c.getCatalog(), null, "account", "%")) {
            while (r.next())
                say(r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getInt("COLUMN_SIZE"),
                    r.getString("IS_AUTOINCREMENT"));
        }
        try (ResultSet r = m.getPrimaryKeys(c.getCatalog(), null, "entry")) {
            while (r.next()) say(r.getString("COLUMN_NAME"), r.getShort("KEY_SEQ"));
        }
        try (ResultSet r = m.getImportedKeys(c.getCatalog(), null, "entry")) {
            while (r.next()) say(r.getString("PKTABLE_NAME"), r.getString("FKCOLUMN_NAME"));
        }
        try (ResultSet r = m.getIndexInfo(c.getCatalog(), null, "account", false, false)) {
            while (r.next()) say(r.getString("INDEX_NAME"), r.getString("COLUMN_NAME"));
        }
    }

    static void updatable() throws SQLException {
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
             ResultSet r = s.executeQuery("SELECT account, line, cents FROM entry WHERE cents = 2902")) {
            r.next();
            r.updateLong("cents", 7);
            r.updateRow();
        }
        say(rows("SELECT line, cents FROM entry WHERE cents = 7"));
    }

    static void several() throws SQLException {
        try (Statement s = c.createStatement()) {
            boolean more = s.execute("SELECT COUNT(*) FROM entry; UPDATE entry SET note = 'x' WHERE line = 1; "
                                     + "SELECT code FROM currency ORDER BY code");
            for (;;) {
                if (more)
                    try (ResultSet r = s.getResultSet()) { while (r.next()) say(r.getString(1)); }
                else if (s.getUpdateCount() >= 0)
                    say("updated", s.getUpdateCount());
                else
                    break;
                more = s.getMoreResults();
            }
            s.addBatch("DELETE FROM entry WHERE line = 2");
            s.addBatch("INSERT INTO currency VALUES ('CHF', 'franc')");
            say(Arrays.toString(s.executeBatch()));
        }
    }

    static void big() throws Exception {
        byte[] big = "0123456789".repeat(60000).getBytes(StandardCharsets.UTF_8);
        try (PreparedStatement p = c.prepareStatement("REPLACE INTO thing (id, b) VALUES (?, ?)")) {
            p.setInt(1, 100);
            p.setBinaryStream(2, new java.io.ByteArrayInputStream(big));
            say(p.executeUpdate());
        } catch (SQLException e) {
            say(e.getErrorCode());  // a BLOB has 65535 bytes
        }
        run("ALTER TABLE thing MODIFY b LONGBLOB");
        try (PreparedStatement p = c.prepareStatement("REPLACE INTO thing (id, b) VALUES (?, ?)")) {
            p.setInt(1, 100);
            p.setBinaryStream(2, new java.io.ByteArrayInputStream(big));
            say(p.executeUpdate(), rows("SELECT LENGTH(b), MD5(b) FROM thing WHERE id = 100"));
        }
    }

    public static void main(String[] args) throws Exception {
        forced = args[0].equals("forced");
        for (String how : new String[] {"false", "true"}) {
            c = DriverManager.getConnection("jdbc:mariadb://127.0.0.1:" + args[1] + "/" + args[2]
                + "?user=app&password=app&allowMultiQueries=true&useServerPrepStmts=" + how
                + "&rewriteBatchedStatements=" + how + "&useBulkStmts=false");
            String as = how.equals("true") ? "_prepared" : "";
            step("tables" + as, Steps::tables);
            step("fill" + as, Steps::fill);
            step("types" + as, Steps::types);
            step("queries" + as, Steps::queries);
            step("join_on_another_column" + as, () -> say(rows(
                "SELECT COUNT(*) FROM account a JOIN account b ON b.cents = a.cents + 1")));
            step("join_with_a_list" + as, () -> say(rows(
                "SELECT c.name, COUNT(*) FROM account a JOIN currency c ON c.code = a.code "
                + "GROUP BY c.name ORDER BY c.name")));
            step("transactions" + as, Steps::transactions);
            step("duplicate" + as, () -> run("INSERT INTO currency VALUES ('EUR', 'again')"));
            step("no_parent" + as, () -> run("INSERT INTO entry VALUES (-1, 1, 1, '')"));
            step("no_table" + as, () -> run("SELECT * FROM nothing"));
            step("syntax" + as, () -> run("SELEC 1"));
            step("metadata" + as, Steps::metadata);
            step("updatable" + as, Steps::updatable);
            step("several" + as, Steps::several);
            step("big" + as, Steps::big);
            if (how.equals("false"))
                step("drop" + as, () -> run("DROP TABLE entry, account, currency, thing"));
            c.close();
        }
    }
}
