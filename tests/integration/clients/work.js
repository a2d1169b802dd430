// work.js HOST PORT DATABASE - the same work as the other work.*, by mysql2: text and prepared.
// What it prints must not depend on what it talks to, nor on how: see work.py.
const fs = require('fs');
const mysql = require('mysql2/promise');
const [host, port, database] = process.argv.slice(2);

function show(what, rows) {
    const text = v => v === null ? 'NULL' : Buffer.isBuffer(v) ? v.toString('hex') : String(v);
    console.log(`${what}: ` + rows.map(r => r.map(text).join(',')).join(' | '));
}

async function main() {
    const env = process.env;
    const how = { compress: 'WORK_COMPRESS' in env };
    if ('WORK_TLS' in env)
        how.ssl = { ca: fs.readFileSync(env.WORK_TLS), servername: 'localhost' };
    const c = await mysql.createConnection({ host, port: Number(port), database,
        user: env.WORK_USER || 'app', password: 'app', ...how,
        rowsAsArray: true, dateStrings: true, charset: 'utf8mb4' });
    await c.query('CREATE TABLE w (id BIGINT PRIMARY KEY, s VARCHAR(60), b LONGBLOB,' +
        ' d DECIMAL(20,4), f DOUBLE, t DATETIME(3), j INT UNSIGNED NULL)');
    for (let i = 1; i <= 20; i++)
        await c.execute('INSERT INTO w VALUES (?, ?, ?, ?, ?, ?, ?)', [i, `name é${i}`,
            Buffer.alloc(3 * i, '\0\x01\x7f'), `${i}.2500`, i / 8,
            `2024-02-${String(i).padStart(2, '0')} 10:11:12.125`, i % 3 ? i : null]);
    show('text', (await c.query('SELECT id, s, b, d, f, t, j FROM w ORDER BY id'))[0]);
    show('prepared', (await c.execute('SELECT id, s, b, d, f, t, j FROM w ORDER BY id'))[0]);
    for (const i of [3, 7, 11, 99])
        show(`one ${i}`, (await c.execute('SELECT s, LENGTH(b) FROM w WHERE id = ?', [i]))[0]);
    const [update] = await c.query('UPDATE w SET j = 5 WHERE id IN (1, 2, 3)');
    console.log('updated:', update.affectedRows, update.changedRows, update.info);
    await c.beginTransaction();
    await c.execute('UPDATE w SET s = ? WHERE id = ?', ['gone', 4]);
    await c.rollback();
    await c.beginTransaction();
    await c.execute('UPDATE w SET s = ? WHERE id = ?', ['kept', 5]);
    await c.commit();
    show('after', (await c.query('SELECT id, s FROM w WHERE id IN (4, 5) ORDER BY id'))[0]);
    for (const bad of ['INSERT INTO w (id) VALUES (1)', 'SELECT * FROM nothing_here', 'SELEC 1',
        'SELECT nothing FROM w'])
        await c.query(bad).catch(e => console.log('error:', e.errno, e.sqlState));
    await c.query('DROP TABLE w');
    await c.end();
}

main().catch(e => { console.error(e); process.exit(1); });
