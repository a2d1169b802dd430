# work.pl HOST PORT DATABASE - the same work as the other work.*, by DBD::MariaDB with
# statements prepared on the server. What it prints must not depend on what it talks to,
# nor on how: see work.py.
use strict;
use warnings;
use DBI;

binmode(STDOUT, ":utf8");
my ($host, $port, $db) = @ARGV;
my $how = "";
$how .= ";mariadb_ssl=1;mariadb_ssl_ca_file=$ENV{WORK_TLS}" if $ENV{WORK_TLS};
$how .= ";mariadb_compression=1" if $ENV{WORK_COMPRESS};
my $dbh = DBI->connect("DBI:MariaDB:database=$db;host=$host;port=$port;mariadb_server_prepare=1$how",
    $ENV{WORK_USER} // "app", "app", { RaiseError => 1, PrintError => 0, AutoCommit => 1 });

sub show {
    my ($what, $rows) = @_;
    print "$what: ", join(" | ", map { join(",", map { $_ // "NULL" } @$_) } @$rows), "\n";
}

$dbh->do("CREATE TABLE w (id BIGINT PRIMARY KEY, s VARCHAR(60), b LONGBLOB, d DECIMAL(20,4),"
      . " f DOUBLE, t DATETIME(3), j INT UNSIGNED NULL)");
my $insert = $dbh->prepare("INSERT INTO w VALUES (?, ?, ?, ?, ?, ?, ?)");
for my $i (1 .. 20) {
    $insert->execute($i, "name \x{e9}$i", "\0\1\xff" x $i, "$i.2500", $i / 8,
        sprintf("2024-02-%02d 10:11:12.125", $i), $i % 3 ? $i : undef);
}
show("all", $dbh->selectall_arrayref(
    "SELECT id, s, HEX(b), d, f, t, j FROM w ORDER BY id", {}));
my $one = $dbh->prepare("SELECT s, LENGTH(b), j FROM w WHERE id = ?");
for my $i (3, 7, 11, 99) {
    $one->execute($i);
    show("one $i", $one->fetchall_arrayref);
}
print "updated: ", $dbh->do("UPDATE w SET j = 5 WHERE id IN (1, 2, 3)"), "\n";
print "deleted: ", $dbh->do("DELETE FROM w WHERE id = 20"), "\n";
$dbh->begin_work;
$dbh->do("UPDATE w SET s = 'gone' WHERE id = 4");
$dbh->rollback;
$dbh->begin_work;
$dbh->do("UPDATE w SET s = 'kept' WHERE id = 5");
$dbh->commit;
show("after", $dbh->selectall_arrayref("SELECT id, s FROM w WHERE id IN (4, 5) ORDER BY id"));
for my $bad ("INSERT INTO w (id) VALUES (1)", "SELECT * FROM nothing_here", "SELEC 1",
    "SELECT nothing FROM w") {
    eval { $dbh->do($bad) };
    print "error: ", $dbh->err, " ", $dbh->state, "\n";
}
show("sum", $dbh->selectall_arrayref("SELECT COUNT(*), SUM(d), MIN(t), MAX(j) FROM w"));
my $big = "x" x (3 << 20);
$insert->execute(1000, "big", $big, "1", 1, undef, undef);
show("big", $dbh->selectall_arrayref("SELECT LENGTH(b), MD5(b) FROM w WHERE id = 1000"));
$dbh->do("DROP TABLE w");
$dbh->disconnect;
