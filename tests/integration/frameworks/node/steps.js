// steps.js MODE PORT DATABASE - what a Sequelize application does, as a transcript that is the
// same on every server. MODE forced: tables get comments for shardd.
'use strict';
const { Sequelize, DataTypes, Op, QueryTypes } = require('sequelize');

const [mode, port, database] = process.argv.slice(2);
const wish = (text) => (mode === 'forced' ? { comment: `shardd: ${text}` } : {});
const db = new Sequelize(database, 'app', 'app', {
  host: '127.0.0.1', port: Number(port), dialect: 'mysql', logging: false, pool: { max: 4 },
});

const say = (...words) => console.log('   ', JSON.stringify(words));

async function step(name, run) {
  console.log(name);
  try {
    await run();
  } catch (error) {
    console.error(name, error.message);
    console.log('    ERROR', error.name, error.original ? error.original.errno : error.message);
  }
}

const Team = db.define('team', {
  name: { type: DataTypes.STRING(40), unique: 'team_name', allowNull: false },
}, wish('reference'));
const Player = db.define('player', {
  name: DataTypes.STRING(60),
  born: DataTypes.DATEONLY,
  extra: DataTypes.JSON,
  score: { type: DataTypes.DECIMAL(10, 2), defaultValue: 0 },
}, { paranoid: true, indexes: [{ fields: ['name'] }], ...wish('key(id)') });
const Passport = db.define('passport', {
  playerId: { type: DataTypes.INTEGER, primaryKey: true },
  number: DataTypes.STRING(20),
}, { timestamps: false, ...wish('key(playerId)') });
const Match = db.define('match', {
  id: { type: DataTypes.UUID, primaryKey: true, defaultValue: DataTypes.UUIDV4 },
  day: DataTypes.DATEONLY,
  goals: DataTypes.INTEGER,
  city: DataTypes.STRING(30),
}, { timestamps: false, version: true, ...wish('key(id)') });
const Log = db.define('log', {
  line: DataTypes.TEXT, weight: DataTypes.DOUBLE, raw: DataTypes.BLOB,
}, { updatedAt: false, ...wish('key(id)') });
Team.hasMany(Player);
Player.belongsTo(Team);
Player.hasOne(Passport, { foreignKey: 'playerId' });
Passport.belongsTo(Player, { foreignKey: 'playerId' });

async function rows() {
  const teams = [];
  for (const name of ['reds', 'blues', 'greens']) teams.push(await Team.create({ name }));
  await Player.bulkCreate(Array.from({ length: 40 }, (_, i) => ({
    name: `player ${String(i).padStart(2, '0')}`, born: `19${60 + i}-01-02`,
    extra: { n: i, list: [i, 'x'] }, teamId: teams[i % 3].id, score: i * 1.5,
  })));
  for (const p of await Player.findAll({ order: ['name'], limit: 10 }))
    await p.createPassport({ number: `no ${p.name}` });
  await Match.bulkCreate(Array.from({ length: 30 }, (_, i) => ({
    day: `2026-03-${String(1 + (i % 28)).padStart(2, '0')}`, goals: i % 5, city: `city ${i % 4}`,
  })));
  await Log.bulkCreate(Array.from({ length: 25 }, (_, i) => ({
    line: `line ${i} ä€😀`, weight: i / 7, raw: Buffer.from([0, i, 255]),
  })));
  say(await Team.count(), await Player.count(), await Passport.count(), await Match.count(),
    await Log.count());
}

async function reads() {
  const p = await Player.findOne({ where: { name: 'player 07' }, include: [Team, Passport] });
  say(p.born, p.extra, p.score, p.team.name, p.passport.number);
  say((await Player.findByPk(p.id)).name, await Player.findByPk(-1));
  say((await Player.findAndCountAll({
    where: { score: { [Op.between]: [10, 30] } }, order: [['name', 'DESC']], limit: 4, offset: 2,
  })).count);
  say((await Player.findAll({ where: { [Op.or]: [{ name: { [Op.like]: '%8' } }, { score: 3 }] },
    order: ['name'], attributes: ['name'] })).map((x) => x.name));
  say(await Match.findAll({ attributes: ['city', [db.fn('COUNT', db.col('id')), 'n'],
    [db.fn('SUM', db.col('goals')), 'goals']], group: ['city'], order: ['city'], raw: true }));
  say(await Player.sum('score'), await Player.max('born'), await Match.min('goals'));
  say((await Log.findAll({ order: [['weight', 'DESC']], limit: 3 })).map((l) => [l.line, l.weight,
    l.raw.toString('hex')]));
  say(await Match.aggregate('city', 'DISTINCT', { plain: false, order: ['city'] }));
}

async function writes() {
  const p = await Player.findOne({ where: { name: 'player 09' } });
  p.extra = { changed: true };
  await p.save();
  await p.increment({ score: 100 });
  await p.reload();
  say(p.score, p.extra);
  say(await Player.update({ score: 1 }, { where: { score: { [Op.lt]: 6 } } }));
  say((await Team.findOrCreate({ where: { name: 'reds' } }))[1],
    (await Team.findOrCreate({ where: { name: 'whites' } }))[1]);
  const m = await Match.findOne({ order: ['day', 'city', 'goals'] });
  const stale = await Match.findByPk(m.id);
  await m.update({ goals: 50 });
  try {
    await stale.update({ goals: 51 });
  } catch (error) {
    say(error.name);
  }
  await Match.upsert({ id: m.id, goals: 60, version: 3 });
  say((await Match.findByPk(m.id)).goals, await Match.count());
  say(await Player.destroy({ where: { name: 'player 39' } }), await Player.count(),
    await Player.count({ paranoid: false }));
  await Player.restore({ where: { name: 'player 39' } });
  say(await Player.count(), await Log.destroy({ where: { weight: { [Op.gt]: 3 } } }));
}

async function transactions() {
  try {
    await db.transaction(async (t) => {
      await Player.update({ score: 0 }, { where: {}, transaction: t });
      await Match.destroy({ where: {}, transaction: t });
      say(await Match.count({ transaction: t }));
      throw new Error('back');
    });
  } catch (error) {
    say(error.message, await Match.count(), await Player.sum('score'));
  }
  await db.transaction({ isolationLevel: 'READ COMMITTED' }, async (t) => {
    const two = await Player.findAll({ order: ['name'], limit: 2, lock: t.LOCK.UPDATE,
      transaction: t });
    await two[0].decrement('score', { by: 5, transaction: t });
    await two[1].increment('score', { by: 5, transaction: t });
    await Log.create({ line: 'moved', weight: 0 }, { transaction: t });
  });
  say(await Player.sum('score'), await Log.count({ where: { line: 'moved' } }));
  await Promise.all(Array.from({ length: 8 }, (_, i) => db.transaction(async (t) => {
    await Log.create({ line: `parallel ${i}`, weight: i }, { transaction: t });
  })));
  say(await Log.count({ where: { line: { [Op.startsWith]: 'parallel' } } }));
}

async function raw() {
  say(await db.query('SELECT city, SUM(goals) AS g FROM matches WHERE goals < :n GROUP BY city '
    + 'ORDER BY city', { replacements: { n: 4 }, type: QueryTypes.SELECT }));
  say(await db.query('SELECT name FROM players WHERE score > $1 ORDER BY name LIMIT 2',
    { bind: [20], type: QueryTypes.SELECT }));
  const q = db.getQueryInterface();
  say((await q.showAllTables()).sort(), Object.keys(await q.describeTable('players')));
  say((await q.showIndex('players')).map((i) => [i.name, i.unique]).sort());
  say((await q.getForeignKeyReferencesForTable('players')).map((f) => [f.columnName,
    f.referencedTableName]));
  await q.addColumn('logs', 'level', { type: DataTypes.INTEGER, defaultValue: 3 });
  await q.addIndex('logs', ['level']);
  say(await db.query('SELECT MAX(level) AS m FROM logs', { type: QueryTypes.SELECT }));
  await q.removeColumn('logs', 'level');
}

async function main() {
  await step('tables', async () => { await db.authenticate(); await db.sync(); });
  await step('rows', rows);
  await step('reads', reads);
  await step('join_on_another_column', async () => say(await db.query(
    'SELECT COUNT(*) AS n FROM players p JOIN matches m ON m.goals = p.score',
    { type: QueryTypes.SELECT })));
  await step('left_join_from_a_list', async () => say(
    (await Team.findAll({ include: Player, order: ['name', [Player, 'name', 'ASC']] }))
      .map((t) => [t.name, t.players.length, t.players[0].name])));
  await step('writes', writes);
  await step('transactions', transactions);
  await step('unique', () => Team.create({ name: 'blues' }));
  await step('not_null', () => db.query('INSERT INTO teams (createdAt, updatedAt) VALUES (NOW(), '
    + 'NOW())'));
  await step('no_parent', () => Player.create({ name: 'x', teamId: 4711 }));
  await step('no_table', () => db.query('SELECT * FROM nothing'));
  await step('raw', raw);
  await step('truncate', async () => { await Log.truncate(); say(await Log.count()); });
  await db.close();
}

main();
