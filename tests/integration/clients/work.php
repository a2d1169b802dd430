<?php
// work.php HOST PORT DATABASE - the same work as the other work.*: by mysqli, then by PDO with
// native prepared statements. What it prints must not depend on what it talks to.
[, $host, $port, $db] = $argv;
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function show($what, $rows)
{
    $line = array_map(fn($r) => implode(",", array_map(fn($v) => $v ?? "NULL", $r)), $rows);
    echo "$what: ", implode(" | ", $line), "\n";
}

$user = getenv("WORK_USER") ?: "app"; // and how it connects: see work.py
$tls = getenv("WORK_TLS");
$flags = (getenv("WORK_COMPRESS") ? MYSQLI_CLIENT_COMPRESS : 0) | ($tls ? MYSQLI_CLIENT_SSL : 0);
$m = mysqli_init();
if ($tls)
    $m->ssl_set(null, null, $tls, null, null);
$m->real_connect($host, $user, "app", $db, (int)$port, null, $flags);
$m->set_charset("utf8mb4");
$m->query("CREATE TABLE w (id BIGINT PRIMARY KEY, s VARCHAR(60), b LONGBLOB, d DECIMAL(20,4),"
    . " f DOUBLE, t DATETIME(3), j INT UNSIGNED NULL)");
$insert = $m->prepare("INSERT INTO w VALUES (?, ?, ?, ?, ?, ?, ?)");
for ($i = 1; $i <= 20; $i++) {
    $insert->execute([$i, "name é$i", str_repeat("\0\1\xff", $i), "$i.2500", $i / 8,
        sprintf("2024-02-%02d 10:11:12.125", $i), $i % 3 ? $i : null]);
}
show("all", $m->query("SELECT id, s, HEX(b), d, f, t, j FROM w ORDER BY id")->fetch_all());
$one = $m->prepare("SELECT s, LENGTH(b), j FROM w WHERE id = ?");
foreach ([3, 7, 11, 99] as $i) {
    $one->execute([$i]);
    show("one $i", $one->get_result()->fetch_all());
}
$m->query("UPDATE w SET j = 5 WHERE id IN (1, 2, 3)");
echo "updated: ", $m->affected_rows, " ", $m->info, "\n";
$m->query("DELETE FROM w WHERE id = 20");
echo "deleted: ", $m->affected_rows, "\n";
$m->begin_transaction();
$m->query("UPDATE w SET s = 'gone' WHERE id = 4");
$m->rollback();
$m->begin_transaction();
$m->query("UPDATE w SET s = 'kept' WHERE id = 5");
$m->commit();
show("after", $m->query("SELECT id, s FROM w WHERE id IN (4, 5) ORDER BY id")->fetch_all());
foreach (["INSERT INTO w (id) VALUES (1)", "SELECT * FROM nothing_here", "SELEC 1",
    "SELECT nothing FROM w"] as $bad) {
    try {
        $m->query($bad);
    } catch (mysqli_sql_exception $e) {
        echo "error: ", $e->getCode(), " ", $m->sqlstate, "\n";
    }
}
$m->multi_query("SELECT 1; SELECT id FROM w WHERE id = 3; SELECT 'end'");
do {
    show("multi", $m->store_result()->fetch_all());
} while ($m->next_result());

$p = new PDO("mysql:host=$host;port=$port;dbname=$db;charset=utf8mb4", $user, "app",
    ($tls ? [PDO::MYSQL_ATTR_SSL_CA => $tls] : []) +
    (getenv("WORK_COMPRESS") ? [PDO::MYSQL_ATTR_COMPRESS => true] : []) +
    [PDO::ATTR_EMULATE_PREPARES => false, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$one = $p->prepare("SELECT id, s, d, f, t, j FROM w WHERE id = ? OR id = ? ORDER BY id");
foreach ([[1, 2], [3, 19], [50, 60]] as $ids) {
    $one->execute($ids);
    show("pdo", $one->fetchAll(PDO::FETCH_NUM));
}
$p->beginTransaction();
$p->prepare("UPDATE w SET s = ? WHERE id = ?")->execute(["pdo", 6]);
$p->commit();
show("pdo", $p->query("SELECT s FROM w WHERE id = 6")->fetchAll(PDO::FETCH_NUM));
try {
    $p->prepare("INSERT INTO w (id) VALUES (?)")->execute([1]);
} catch (PDOException $e) {
    echo "error: ", $e->getCode(), " ", $e->errorInfo[1], "\n";
}
$m->query("DROP TABLE w");
