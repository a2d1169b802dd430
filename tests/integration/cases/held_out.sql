-- Statements of the kinds of ../shared/corpus, on its schema: one a line. See test_corpus.py.
-- joins
select u.id, ue.id, m.id from user u join user_extra ue on u.id = ue.user_id join music m on m.user_id = ue.user_id
select u.id, ue.bar from user u left join user_extra ue on u.id = ue.user_id and ue.bar > 5
select u.id, ue.bar from user u left join user_extra ue on u.id = ue.user_id where ue.bar is null
select u.id, ue.id from user u right join user_extra ue on u.col = ue.col where ue.foo < 6
select u.id, m.id from user u left join (user_extra ue join music m on ue.user_id = m.user_id) on u.col = ue.col
select u.id, m.id from (user u left join user_extra ue on u.col = ue.id) left join music m on m.id = ue.id
select a.id, b.id from user a join user b on a.id < b.id and a.col = b.col
select a.id, b.id from user a join user b on a.id <=> b.col
select a.id, b.id from user a, user_extra b where a.col = b.col and a.id > b.user_id
select u.id from user u join user_extra ue using (id)
select id, count(*) from user join user_extra using (id, col) group by id
select * from authoritative natural join sales_extra
select id, col from user natural join user_extra
select id from authoritative natural left join customer
select id, name from customer natural right join name_user_vdx
select count(*) from user cross join music
select count(*) from user inner join music on true
select count(*) from user straight_join music on user.foo = music.foo
select u.id, un.id from user u join unsharded un on u.id = un.id
select u.id, un.name from user u left join unsharded un on u.name = un.name and un.id > 10
select un.id, u.id from unsharded un left join user u on u.col = un.col
select un.id, r.id, u.id from unsharded un join ref r on un.id > r.id join user u on u.id = r.id
select r.id, u.col from ref r left join user u on r.id = u.id
select r.id, u.col from ref r right join user u on r.col = u.col
select o.id, oe.ename from `order` o join order_event oe on o.oid = oe.oid
select o.region_id, e.oid from `order` o join `order_event` e on o.region_id = e.oid
select s.oid, x.colx from sales s join sales_extra x on s.oid = x.colx and x.`start` < x.`end`
select c.id, c.email, u.name from customer c join user u on u.id = c.id
select c.id, u.name from customer c join user u on u.name = c.name where c.phone like 'x%'
select a.kid, b.kid from multicolvin a join overlap_vindex b on a.kid = b.kid where a.column_a = b.column_a
select t.id, u.id from t1 t left join user u on t.id = u.id or t.id1 = u.col
select u.id, ue.id from user u join user_extra ue on (u.id, u.col) = (ue.user_id, ue.col)
select u.id, ue.id from user u join user_extra ue on u.id in (ue.user_id, ue.id)
select u.id, ue.id from user u join user_extra ue on u.id between ue.user_id and ue.id
select u.id, ue.id from user u join user_extra ue on u.name = ue.name and u.id = ue.user_id
select u.id, e.user_id, f.user_id from user u left join user_extra e on u.id = e.user_id left join user_extra f on e.id = f.user_id
select m.id, u.name from music m left join user u on m.user_id = u.id and u.name is not null where m.col > 3
select 1 from user u1 join user u2 on u1.a = u2.b join user u3 on u2.a = u3.b where u3.col = 4
select u.id from user u left join music m on u.id = m.user_id left join customer c on c.id = m.id where c.id is null and m.id is not null
select user.id, (user_extra.col + 1) * 2 from user join user_extra on user.id = user_extra.user_id where user_extra.col % 2 = 1
select u.id, d.n from user u join (select user_id, count(*) n from music group by user_id) d on d.user_id = u.id
select u.id, d.n from user u left join (select col, count(*) n from music group by col) d on d.col = u.col
select d.g, d.n from (select col g, count(*) n from user group by col having count(*) > 1) d join unsharded un on un.col = d.g
select x.id, y.id from (select id, col from user where id < 20) x join (select id, col from music where id > 10) y on x.col = y.col
select x.id from (select distinct id from user) x left join (select distinct user_id from user_extra) y on x.id = y.user_id where y.user_id is null
select count(*) from (user, music) left join user_extra on user.id = user_extra.user_id and music.id = user_extra.id
-- subqueries
select id from user where id in (select user_id from music)
select id from user where id not in (select user_id from music)
select id from user where col not in (select col from music)
select id from user where col not in (select col from music where col is not null)
select id from user u where exists (select * from music m where m.user_id = u.id and m.col > u.col)
select id from user u where not exists (select * from music m where m.col = u.col)
select id from user u where (select count(*) from music m where m.user_id = u.id) > 1
select id from user u where (select max(m.id) from music m where m.col = u.col) > 20
select id from user u where col = (select min(col) from user)
select id from user u where col = (select min(col) from user v where v.foo = u.foo)
select id from user u where col > all (select col from music where foo = 3)
select id from user u where col > any (select col from music where foo = 3)
select id from user u where col <> all (select col from music where col is not null)
select id from user u where col < some (select bar from user_extra where user_extra.user_id = u.id)
select id from user u where col >= all (select m.col from music m where m.foo = u.foo and m.col is not null)
select id from user where (id, col) in (select user_id, col from user_extra)
select id from user where (id, col) not in (select user_id, col from user_extra where col is not null)
select id from user where (col, foo) = (select col, foo from user_extra order by user_id, pk_ limit 1)
select id from user where (col, foo) = any (select col, foo from music)
select id from user where row(1, 2) = row(col, foo) or row(3, 4) <> row(col, foo)
select id, (col, foo) < (5, 5) x from user
select id, (select count(*) from music where music.user_id = user.id) n from user
select id, (select group_concat(m.id order by m.id) from music m where m.col = user.col) l from user
select id, (select name from customer c where c.id = user.id order by c.pk_ limit 1) n from user
select id, (select max(x) from (select m.id as x from music m where m.col = 3) d) from user
select id, exists (select 1 from music where music.user_id = user.id) e from user
select id, col in (select col from music) e from user
select id, col not in (select col from music) e from user
select id, (select 1 union select 1) from user
select id from user where col in (select col from music union select col from unsharded)
select id from user where col in (select col from music intersect select col from unsharded)
select id from user where col in (select max(col) from music group by foo)
select id from user where col in (select col from music group by col having count(*) > 1)
select id from user where exists (select foo from music group by foo having count(*) > 1)
select id from user where exists (select 1 from music having count(*) > 100)
select id from user where id = (select id from unsharded order by id limit 1)
select id from user where id = (select id from music order by id desc, pk_ limit 1) or col = 3
select id from user u where col in (select col from music m where m.user_id in (select user_id from user_extra e where e.col = u.col))
select u.id, (select (select max(e.id) from user_extra e where e.user_id = u.id and e.col <= m.col) from music m where m.user_id = u.id order by m.pk_ limit 1) v from user u
select * from (select id, (select count(*) from music m where m.col = u.col) n from user u) d where n > 1
select count(*) from user where col in (select col from user where foo in (select foo from user where bar in (select bar from user where a = 3)))
select id from unsharded where id in (select id from user)
select id from unsharded un where exists (select 1 from user u where u.col = un.col)
select un.id, (select count(*) from user u where u.foo = un.foo) from unsharded un
select id from ref where col = (select max(col) from user)
select id from user having id > (select avg(id) from user)
select col, count(*) from user group by col having count(*) >= (select avg(n) from (select count(*) n from user group by col) d)
select col from user u group by col having exists (select 1 from music m where m.col = u.col)
select id from user order by (select count(*) from music m where m.col = user.col), id, pk_
select if((select count(*) from user) > 10, 'many', 'few')
select case (select count(*) from user where col = 3) when 0 then 'none' when 1 then 'one' else 'more' end
select (select id from user)
select (select id, col from user limit 1)
select id from user where id = (select user_id from user_extra)
-- aggregates
select count(*), count(col), count(distinct col), sum(col), avg(col), min(col), max(col) from user
select sum(distinct col), avg(distinct col), count(distinct col, foo) from user
select col, count(distinct foo), count(distinct bar), sum(distinct foo) from user group by col
select count(distinct name), count(distinct lower(name)), count(distinct left(name, 1)) from user
select col, group_concat(id order by id) from user group by col
select col, group_concat(distinct foo order by foo desc separator '|') from user group by col
select group_concat(concat(id, ':', col) order by id, pk_ separator ';') from user where col is not null
select group_concat(id order by id limit 3) from user
select group_concat(id order by id limit 2, 3) from user
select json_arrayagg(id order by id) from (select id, pk_ from user order by id, pk_ limit 1000) d
select col, json_objectagg(pk_, id) is null from user group by col
select std(id), stddev(id), stddev_pop(id), stddev_samp(id), var_pop(id), var_samp(id), variance(id) from user where id = 5
select round(std(id), 6), round(var_samp(id), 6) from user
select col, round(stddev_samp(id), 5), round(variance(id), 5) from user group by col
select bit_and(id), bit_or(id), bit_xor(id) from user
select col, bit_and(id), bit_or(foo), bit_xor(bar) from user group by col
select max(name), min(name), max(textcol1), min(costly) from user
select col, max(name), min(name) from user group by col
select sum(col) / count(*), sum(col) div count(*), sum(col) % 7 from user
select sum(col + foo), avg(col * 2), sum(col) + sum(foo) from user
select max(id) - min(id), max(col) * 2 from user
select count(*) from user where col is null
select count(*) + 1, count(*) * count(col) from user
select sum(if(col > 5, 1, 0)), sum(case when foo > 5 then col end), count(nullif(col, 3)) from user
select sum(name), avg(name), sum('3x') from user
select count(null), sum(null), max(null), group_concat(null) from user
select avg(id), avg(id + 0.5), avg(id / 3) from user
select avg(distinct id), sum(distinct id / 2) from user
select min(col), max(col), count(*) from user where id = 5
select min(col), max(col), count(*) from user where id in (5, 7, 9)
select min(col), max(col), count(*), sum(col) from user where 1 = 0
select col, count(*) from user where 1 = 0 group by col
select count(*) from user group by null
select count(*) from user having count(*) > 1000
select count(*) c, col from user group by col having c > 1 order by c desc, col
select col + 1 as c9, count(*) from user group by c9 order by c9
select col % 3 as c, sum(foo) from user group by col % 3 order by 1
select case when col > 5 then 'big' when col > 2 then 'mid' else 'small' end k, count(*) from user group by k order by k
select ifnull(col, -1) k, count(*) from user group by k having k <> -1 order by k desc
select name, count(*) from user group by name order by name
select lower(name) n, count(*) from user group by n order by n
select substr(name, 1, 1) c9, count(*), max(name) from user group by c9 order by 2 desc, 1
select name collate utf8mb4_general_ci n, count(*) from user group by n order by n
select count(distinct name collate utf8mb4_general_ci) from user
select col, foo, count(*) from user group by col, foo order by col desc, foo
select col, foo, count(*) from user group by col, foo with rollup
select col, count(*), sum(id) from user group by col with rollup
select name, col, sum(id) from user group by name, col with rollup having sum(id) > 50
select coalesce(col, 'total') c, count(*) from user group by col with rollup
select col, count(distinct foo) from user group by col with rollup
select u.col, count(*) from user u join music m on u.id = m.user_id group by u.col with rollup
select u.col, sum(m.col), count(distinct m.id) from user u join music m on u.foo = m.foo group by u.col
select u.name, avg(m.col), max(m.name) from user u left join music m on u.id = m.user_id group by u.name order by u.name
select count(*) from (select distinct col, foo from user) d
select distinct col, count(*) over () from user
select distinct count(*) from user group by col order by 1
select distinct col + foo s from user order by s
select distinct name, textcol1 from user order by name desc, textcol1
select distinct u.col from user u join music m on u.col = m.col order by u.col limit 3
select distinct col from user order by col limit 2 offset 1
select sql_calc_found_rows distinct col from user order by col limit 3
select all col from user order by col, id, pk_
select count(all col), sum(all foo) from user
select col, sum(foo) s from user group by col order by s desc, col limit 4
select col, sum(foo) s from user group by col order by sum(foo) desc, col limit 2, 4
select col, avg(foo) a from user group by col order by a, col
select col, max(foo) - min(foo) d from user group by col order by d desc, col
select col from user group by col order by count(distinct foo) desc, col
select col from user group by col having max(foo) > 3 and min(foo) < 9 order by col
select col from user group by col having sum(foo) between 5 and 20 or count(*) = 1
select col from user group by col having group_concat(foo order by foo) like '%,%' order by col
select foo, count(*) from user group by foo having foo in (1, 2, 3)
select id, count(*) from user group by id having count(*) > 1
select user_id, max(id) from music group by user_id order by max(id) desc, user_id
select sum(n) from (select count(*) n from user group by col) d
select max(n), min(n) from (select col, count(*) n from user group by col) d where col is not null
select any_value from (select 1 any_value) d
select count(*) from user group by col, foo, bar order by 1 desc limit 1
-- windows
select id, pk_, row_number() over (order by id, pk_) rn from user
select id, pk_, row_number() over (partition by col order by id, pk_) rn from user
select id, rank() over (order by col) r, dense_rank() over (order by col) d, percent_rank() over (order by col) p from user
select id, cume_dist() over (partition by foo order by col) c from user
select pk_, id, ntile(4) over (order by id, pk_) n from user
select pk_, id, lag(col) over (order by id, pk_) a, lead(col, 2) over (order by id, pk_) b from user
select pk_, id, first_value(col) over (partition by foo order by id, pk_) a, last_value(col) over (partition by foo order by id, pk_ rows between unbounded preceding and unbounded following) b from user
select pk_, id, nth_value(col, 3) over (order by id, pk_ rows between unbounded preceding and unbounded following) from user
select pk_, id, sum(col) over w, avg(col) over w, count(*) over w from user window w as (partition by foo order by id, pk_)
select pk_, sum(col) over (order by id, pk_ rows between 2 preceding and current row) from user
select pk_, sum(col) over (order by id range between 3 preceding and 3 following) from user
select pk_, min(col) over (partition by name), max(col) over (partition by name) from user
select pk_, count(*) over (partition by name, textcol1) n from user order by n desc, pk_, id
select * from (select pk_, id, row_number() over (partition by col order by id desc, pk_) rn from user) d where rn = 1
select col, count(*), rank() over (order by count(*) desc) from user group by col
select col, sum(foo), sum(sum(foo)) over (order by col) from user group by col
select col, sum(foo) / sum(sum(foo)) over () from user group by col
select u.id, m.pk_, row_number() over (partition by u.id, u.pk_ order by m.pk_, m.user_id) from user u join music m on u.id = m.user_id
select id, rank() over (partition by id order by col) from user where id in (1, 2, 3, 5)
select id, pk_, bit_or(foo) over (partition by col) from user
select id, pk_, median(foo) over (partition by col) from user
select id, pk_, percentile_cont(0.5) within group (order by foo) over (partition by col) from user
select user_id, pk_, count(distinct_col) over () from (select user_id, pk_, col distinct_col from music) d
-- set operations
select id from user union select user_id from music order by id
select id from user union all select user_id from music order by 1 desc limit 5
select id from user intersect select user_id from music
select id from user except select user_id from music
select id from user intersect all select user_id from music
select id from user except all select user_id from music
(select id from user where col = 3) union (select id from user where col = 4) order by id
(select id, col from user order by id, pk_ limit 3) union all (select id, col from music order by id desc, pk_ limit 3)
(select id from user union select id from music) intersect select id from unsharded
select id from user union (select id from music except select id from unsharded)
select id from user union (select id from music intersect (select id from unsharded union select id from ref))
select col from user union distinct select col from user_extra union distinct select col from music
select name from user union select name from customer order by name
select name, 1 from user where id < 10 union select email, 2 from customer order by 1, 2
select col, count(*) from user group by col union all select col, count(*) from music group by col
select 'u' t, count(*) from user union all select 'm', count(*) from music union all select 'c', count(*) from customer
select count(*) from (select col from user union select col from music) d
select d.col, count(*) from (select col from user union all select col from music) d group by d.col order by d.col
select max(x) from (select max(id) x from user union all select max(id) from music) d
select id from user where id = 5 union all select id from user where id = 7
select null as x union select col from user
select id from user union select name from user
values (1, 'a'), (2, 'b')
select * from (values (1, 2), (3, 4)) v join user on user.id = v.`1`
select * from user where id in (values (1), (2), (3))
(select 1) union (select 2) order by 1 desc limit 1
-- common table expressions
with a as (select id, col from user), b as (select user_id, col from music) select a.id, b.user_id from a join b on a.col = b.col
with a as (select col, count(*) n from user group by col) select * from a where n = (select max(n) from a)
with a as (select col, count(*) n from user group by col), b as (select max(n) x from a) select a.col from a join b on a.n = b.x
with a as (select * from user where id < 10) select x.id, y.id from a x join a y on x.col = y.col
with a as (select id from user), b as (select id from a where id > 10) select count(*) from b
with a(x, y) as (select col, sum(foo) from user group by col) select y from a order by x
with a as (select 1 n union all select 2) select a.n, user.id from a join user on user.id = a.n
with recursive s as (select 1 n union all select n + 1 from s where n < 40) select s.n, count(user.id) from s left join user on user.id = s.n group by s.n order by s.n
with recursive s as (select min(id) n from user union all select n + 1 from s where n < 20) select n from s
with recursive t as (select id, manager_id, 0 d from user where id = 5 union all select u.id, u.manager_id, t.d + 1 from user u join t on u.manager_id = t.id where t.d < 3) select id, d from t
with recursive t as (select id, manager_id from user where manager_id is null union select u.id, u.manager_id from user u join t on u.manager_id = t.id) select count(*) from t
with recursive f(a, b) as (select 0, 1 union all select b, a + b from f where b < 100) select a from f
with a as (select id from user where col > 3 order by id, pk_ limit 5) select u.name from a join user u on u.id = a.id
with a as (select id from music) select id from user where id in (select id from a) and id not in (select col from a join unsharded on a.id = unsharded.id where col is not null)
select * from (with a as (select id from user where id < 9) select id from a) d order by id
select (with a as (select max(id) m from user) select m from a) v, id from ref
with a as (select id, row_number() over (order by id, pk_) r from user) select id from a where r between 3 and 6
do sleep(0), 1 + 1
-- functions
select id, concat(name, '-', id), concat_ws(',', name, textcol1, col), upper(name), reverse(name) from user
select id, lpad(name, 6, '.'), rpad(id, 4, 'x'), trim(both 'a' from name), ltrim(name), replace(name, 'a', 'b') from user
select id, substring(name from 2 for 2), substring_index(name, ' ', 1), mid(name, 2), left(name, 2), right(name, 2) from user
select id, locate('a', name), instr(name, 'a'), position('o' in name), field(name, 'a', 'b', 'foo'), find_in_set(name, 'a,b,foo') from user
select id, char_length(name), length(name), bit_length(name), octet_length(name), ord(name), ascii(name), hex(name) from user
select id, abs(col - 5), sign(col - 5), mod(col, 3), col div 2, col / 3, pow(col, 2), sqrt(col), floor(col / 2), ceil(col / 2), round(col / 3, 2), truncate(col / 3, 1) from user
select id, greatest(col, foo, bar), least(col, foo, bar), interval(col, 2, 4, 6), nullif(col, foo), ifnull(col, foo), coalesce(col, foo, bar, 0) from user
select id, col & 3, col | 8, col ^ 5, ~col, col << 2, col >> 1, bit_count(col) from user
select id, col between 2 and 5, col not between 2 and 5, col in (1, 2, null), col not in (1, 2), col is null, col is not true, col is unknown from user
select id, name like 'a%', name not like '%o', name like '_', name rlike '^[a-f]', name regexp 'o+$', name sounds like 'foo' from user
select id, if(col > 3, name, null), case col when 1 then 'one' when 2 then 'two' end, case when col is null then 0 else col end from user
select id, cast(col as char), cast(name as unsigned), cast(col as decimal(10, 2)), convert(col, char(1)), binary name, cast('2020-01-02' as date) from user
select id, md5(name), sha1(name), crc32(name), to_base64(name), soundex(name), quote(name) from user
select id, date_add('2020-02-28', interval col day), from_unixtime(0) is not null, makedate(2020, col + 1), sec_to_time(col * 100), period_add(202001, col) from user
select id, date_format(date_add('2020-01-01', interval id day), '%W %j'), dayofweek(date_add('2020-01-01', interval id day)), extract(year_month from date_add('2020-01-01', interval id month)) from user
select id, datediff('2020-03-01', date_sub('2020-03-01', interval id day)), timestampdiff(month, '2019-01-01', date_add('2019-01-01', interval id week)), last_day(date_add('2020-01-31', interval id month)) from user
select id, json_object('id', id, 'name', name), json_array(col, foo), json_extract(json_object('a', col), '$.a'), json_value(json_array(id), '$[0]') from user
select id, json_unquote(json_extract(concat('{"k": "', name, '"}'), '$.k')), json_length(json_array(col, foo, bar)), json_contains('[1, 2, 3]', cast(col as char)) from user where name is not null
select jt.n, u.id from json_table('[1, 5, 9, 12]', '$[*]' columns (n int path '$')) jt join user u on u.id = jt.n
select jt.o, jt.n, count(u.id) from json_table('[{"n": 3}, {"n": 4}, {}]', '$[*]' columns (o for ordinality, n int path '$.n' default '7' on empty)) jt left join user u on u.col = jt.n group by jt.o, jt.n
select u.id, jt.v from user u, json_table(json_array(u.col, u.foo), '$[*]' columns (v int path '$')) jt where u.id < 12
select * from json_table('{"a": [{"b": 1}, {"b": 2}]}', '$.a[*]' columns (b int path '$.b', e int exists path '$.c')) jt
select id, format(id * 1000, 2), conv(id, 10, 16), bin(id), oct(id), unhex(hex(name)), inet_ntoa(id) from user
select id, elt(col, 'a', 'b', 'c'), make_set(col, 'x', 'y', 'z'), export_set(col, '1', '0', '', 4), char(65 + col), space(col), repeat(name, 2) from user
select id, col xor foo, not col, col and foo, col or foo, !col, -col, +col, col = foo = bar from user
select id, name < 'b', name <=> null, name = 'A', name = 'a', name collate utf8mb4_general_ci = 'A' from user
select strcmp(name, 'b'), id from user
select id, isnull(col), nvl(col, 0), nvl2(col, 'y', 'n'), decode_oracle(col, 1, 'one', 'other') from user
select id, greatest(name, textcol1), least(name, 'm'), name > textcol1 from user
select id, pi() * 0, exp(0), ln(1), log2(8), log10(1000), degrees(0), atan2(0, 1), crc32(id) from user where id < 6
select database(), schema(), user() is not null, version() is not null, connection_id() > 0, charset('a'), collation('a' collate utf8mb4_bin), coercibility(name) from user limit 1
select id, regexp_replace(name, '[ao]', '#'), regexp_substr(name, '[a-z]+'), regexp_instr(name, 'o') from user
select id, natural_sort_key(name) is null, sformat('{}-{}', id, name) from user
select id, weight_string(name), hex(weight_string(name as char(3))) from user
select id, time_to_sec('00:01:00') + id, addtime('00:00:10', sec_to_time(id)), timediff('10:00:00', sec_to_time(id)), str_to_date(concat('2020-01-', 1 + id % 28), '%Y-%m-%d') from user
-- order and limit
select id, col from user order by col desc, id, pk_ limit 7
select id, col from user order by col is null, col, id, pk_ limit 3, 5
select id, name from user order by name, id, pk_
select id, name from user order by name collate utf8mb4_general_ci desc, id desc, pk_ desc
select id, name from user order by length(name), name, id, pk_ limit 6
select id, name from user order by field(name, 'foo', 'bar') desc, id, pk_
select id, col + foo s from user order by s desc, id, pk_ limit 5
select id, col c from user order by -c, id, pk_
select id from user where col in (1, 2, 3) order by if(col = 2, 0, 1), id, pk_
select u.id, m.id from user u join music m on u.id = m.user_id order by m.col, u.pk_, m.pk_ limit 5
select id from user order by id limit 0
select id from user order by id, pk_ limit 3 offset 1000
select count(*) from (select id from user limit 7) d
select * from (select id, pk_ from user order by id desc, pk_ limit 5) d order by id, pk_
select id from user order by rand() limit 0
select pk_, id from user order by 2 desc, 1 asc
select id from user order by null limit 4
select id from user order by col fetch first 3 rows only
select id, pk_ from user order by id, pk_ offset 2 rows fetch next 3 rows only
select col from user order by col fetch first 2 rows with ties
-- aliases inside the expressions of ORDER BY and GROUP BY
select foo, count(*) cz from user group by foo order by cz + 1, foo
select foo, count(*) cz from user group by foo order by -cz, foo limit 3
select foo, sum(col) cz from user group by foo having cz + 1 > 5 order by foo
select id, length(name) zz from user order by zz + 1, id, pk_
select distinct name zz from user order by zz is null, zz
select name zz, count(*) from user group by lower(zz) order by 1
select name zz, count(*) from user group by zz is null
select name zz, count(*) n from user group by zz order by n is null, zz
select id zz from user order by zz + pk_ desc limit 3
select id zz, (select count(*) from music where user_id = zz) q from user order by zz, pk_
select id zz from user order by (select count(*) from music where user_id = zz), id, pk_
select user_id zz, pk_ + 1 as yy from music order by yy % 3, zz, pk_
select id, name n from user order by n is null, n desc, id, pk_
-- conditions on keys
select id, col from user where id = 5 or id = 7
select id, col from user where id in (5, 7, 9) and col > 2
select id from user where id = 5 and id = 7
select id from user where id > 5 and id <= 12
select id from user where id in (select 5 union select 7)
select id from user where id = '5'
select id from user where id = 5.0
select id from user where id = 5.5
select id from user where id = '5x'
select id from user where id <=> 5
select id from user where id = 2 + 3
select id from user where id = abs(-5)
select id from user where not (id <> 5)
select id from user where id is null or id = 5
select id from user where 5 = id
select id from user where id between 5 and 5
select name, id from name_user_vdx where name = 'a'
select name, id from name_user_vdx where name in ('a', 'b', 'A')
select name, id from name_user_vdx where name = 'a '
select name, id from name_user_vdx where name like 'a'
select name, id from name_user_vdx where name = 'a' collate utf8mb4_general_ci
select name, id from name_user_vdx where name = 0
select a.name, b.id from name_user_vdx a join costly_map b on a.name = b.name
select a.id, b.id from name_user_vdx a join user b on a.name = b.name
select id from user where id = (select 5)
select u.id from user u where u.id = 5 and exists (select 1 from music m where m.user_id = u.id)
select u.id from user u where u.id = 5 and exists (select 1 from music m where m.user_id = 7)
select u.id, m.id from user u join music m on u.id = m.user_id where m.user_id = 5
select u.id, m.id from user u left join music m on u.id = m.user_id where m.user_id = 5
select u.id, m.id from user u left join music m on u.id = m.user_id and m.user_id = 5
-- locks, hints, tables of one row
select id from user where id = 5 for update
select id from user where col = 3 lock in share mode
select id, col from user use index (primary) where id = 5
select id, col from user ignore index (primary) where col = 5 order by id, pk_
select sql_no_cache high_priority id from user where id < 4
select sql_small_result col, count(*) from user group by col
select 1 + 1 from dual where 1
select * from dual
select user.*, 1 x from user where user.id = 9
select user.user.id from user.user where user.user.id < 6
select `user`.`2`, `user`.`5` from user where `2` > 3
select @a := 5, id from user where id < 4
select id as `select`, col `from` from user where id < 6
select id 'x y', col "z" from user where id < 6
-- information_schema and SHOW
select table_name, table_type, engine from information_schema.tables where table_schema = 'user' order by table_name
select column_name, data_type, is_nullable, column_key from information_schema.columns where table_schema = 'user' and table_name = 'music' order by ordinal_position
select table_name, count(*) from information_schema.columns where table_schema = 'user' group by table_name
select count(*) from information_schema.statistics where table_schema = 'user' and index_name = 'PRIMARY'
select schema_name, default_collation_name from information_schema.schemata where schema_name = 'user'
select constraint_name, table_name from information_schema.table_constraints where table_schema = 'user' order by 2
select table_name, column_name, ordinal_position from information_schema.key_column_usage where table_schema = 'user' order by 1, 3
select t.table_name, c.column_name from information_schema.tables t join information_schema.columns c on t.table_schema = c.table_schema and t.table_name = c.table_name where t.table_schema = 'user' and t.table_name like 'unsharded%' order by 1, c.ordinal_position
select count(*) from information_schema.views where table_schema = 'user'
select count(*) from information_schema.triggers where trigger_schema = 'user'
select character_set_name, description from information_schema.character_sets where character_set_name like 'utf8mb4'
show tables
show tables like 'unsh%'
show full tables where table_type = 'BASE TABLE'
show columns from user like 'c%'
show full columns from music
describe music
desc user id
explain music
show create database user
show databases like 'user'
show collation like 'utf8mb4_bin'
show character set like 'utf8mb4'
show variables like 'sql_mode'
show warnings
show errors
show count(*) warnings
show table status like 'nothing'
show triggers
show events
show open tables from user like 'nothing'
show privileges
show plugins soname 'nothing'
-- writes
insert into user (pk_, id, name) values (1000, 1, 'a'), (1001, 2, 'b'), (1002, 3, null)
insert into user set pk_ = 1000, id = 77, name = concat('a', 'b'), col = 1 + 1
insert into user (pk_, id, col) select pk_ + 1000, user_id, col from music
insert into user (pk_, id, col) select pk_ + 1000, user_id, count(*) from music group by pk_, user_id
insert into music (pk_, user_id, col) select u.pk_ + 1000, u.id, m.col from user u join music m on u.col = m.col where u.id < 10 on duplicate key update col = values(col)
insert into user (pk_, id, col) values (0, 1, 5) on duplicate key update col = col + values(col)
insert ignore into user (pk_, id, col) select pk_, id, 99 from user
insert into unsharded (pk_, id, col) select pk_ + 1000, id, col from user where id < 20
insert into user (pk_, id) select pk_ + 2000, id from unsharded where id is not null
insert into ref (pk_, id) select 1000 + pk_, id from user where pk_ < 3
insert into user (pk_, id, col) values (1000, 1, (select max(col) from music)), (1001, 2, (select count(*) from user))
insert into user (pk_, id) values (1000, 500) returning id, name, pk_ + 1
insert into user (pk_, id) select 1000 + pk_, user_id from music where user_id < 10 returning id
replace into user (pk_, id, col) select pk_, id, 42 from user where col = 3
replace into music (pk_, user_id, name) values (0, 19, 'new'), (900, 19, 'newer')
replace into user (pk_, id, col) values (1000, 1, 2) returning pk_, id
replace into unsharded (pk_, id) select pk_, id from music where pk_ < 4
update user set col = col + 1 where col is not null
update user set col = foo, foo = col
update user set name = concat(name, '!') where name like 'a%' order by id limit 100
update user set id = id + 100 where id = 5
update user set id = id + 1000 where col = 3
update user set pk_ = pk_ + 1000, id = 7 where id = 5
update music set user_id = 99 where user_id in (5, 7, 9)
update user u join music m on u.id = m.user_id set u.col = 77 where m.foo > 3
update user u join unsharded un on u.id = un.id set u.name = un.name
update user u join (select col, count(*) n from user group by col) d on u.col = d.col set u.foo = d.n
update user u left join music m on u.id = m.user_id set u.name = 'lonely' where m.pk_ is null
update user, unsharded set user.col = 5, unsharded.col = 6 where user.id = unsharded.id
update user set col = (select count(*) from music where music.user_id = user.id)
update user set col = (select max(col) from music m where m.foo = user.foo) where id < 20
update user set name = 'x' where id in (select user_id from music where col > 3)
update user set name = 'x' where exists (select 1 from music where music.col = user.col)
update user set col = default, foo = default where id = 9
update user set col = case when foo > 5 then 1 else 2 end, bar = if(foo is null, 0, foo)
update unsharded set col = (select max(id) from user)
update unsharded un join user u on un.id = u.id set un.name = 'm'
update ref set col = 5 where id in (select id from user)
update user set col = 5 where id = 5 limit 1
update user set foo = foo + 1 where (id, col) in (select user_id, col from user_extra)
update user_extra set bar = 3 where user_id between 3 and 12 and (col > 3 or foo < 2)
with a as (select user_id from music where col > 3) select count(*) from user where id in (select user_id from a)
delete from user where id = 5
delete from user where id in (5, 7)
delete from user where col in (select col from music)
delete from user where id not in (select user_id from user_extra)
delete from user where exists (select 1 from music m where m.user_id = user.id)
delete from user order by id, pk_ limit 3
delete from user where name is null order by id desc, pk_ limit 2
delete from user where col = 3 returning id, name
delete from user where id = 7 returning *
delete u from user u left join music m on u.id = m.user_id where m.user_id is null
delete from u using user u join unsharded un on u.id = un.id
delete user, music from user join music on user.id = music.user_id where user.col > 3
delete m from music m join (select user_id, max(pk_) mp from music group by user_id) d on m.user_id = d.user_id and m.pk_ < d.mp
delete from unsharded where id in (select id from user)
delete from ref where id in (select user_id from music)
delete from music
delete un, u from unsharded un join user u on un.id = u.id
insert into user (pk_, id) values (1, null)
insert into user (pk_) values (1)
insert into user (pk_, id, nope) values (1, 2, 3)
insert into user (pk_, id, col) values (1000, 1, 'abc')
update user set nope = 1
delete from nope
select nope from user
select id from user where nope = 1
select id from user group by nope
select id from user order by nope
select u.id from user
select id from user join music on user.id = music.user_id
select count(id, col) from user
select id from user limit -1
select sum(count(*)) from user
select id from user where count(*) > 1
select (1, 2) from user
select id from user union select id, col from user
-- what SET and DO read
set @f = (select max(id) from music), @g = @f + 1
select @f, @g
set @a = 1, @b = (select count(*) from user) + @a, @c = exists (select 1 from music where user_id = 10)
select @a, @b, @c
set @s = (select col from user where id = 5 limit 1) + (select col from user where id = 12)
select @s
set @t = (select sum(col) / 3 from user), @u = (select avg(col) from user), @v = (select 1.5e0 * max(col) from user), @w = (select group_concat(name order by pk_) from user)
select @t, @u, @v, @w
set @k = 12 in (select id from user), @l = 5 > all (select id from user), @m = (select 1, 2) = (select max(id), min(id) from user)
select @k, @l, @m
set @mix = (select count(*) from user) + (select count(*) from unsharded)
select @mix
set @two = (select id, col from user limit 1)
do (select count(*) from user), @e := (select count(*) from music)
select @e
-- RETURNING that reads other rows
delete from user where id = 33 returning id, (select count(*) from music)
delete from user where id > 20 returning id, (select count(*) from music where music.user_id = user.id)
delete from user where id > 20 returning id, (select max(id) from music)
delete from unsharded where id > 20 returning id, (select max(id) from music)
-- LIMIT and GROUP BY that a server does not take
select id from user limit 1.5
select id from user limit 2 offset 1.5
select id from user limit null
select id from user limit true
select id from user limit (2)
select id from user limit '2'
select count(*) from user group by count(*)
select count(*) c from user group by 1
select name from user group by name, max(id)
-- who has a lock, beside rows of several shards
select is_free_lock('xyz') from user
select Is_Used_Lock( 'xyz' ), id from user
select id, is_free_lock('xyz') as f from user where is_used_lock('xyz') is null
select count(*) from user where is_free_lock('xyz') = 1 and id > 3
select is_free_lock('xyz') from user where id = 5
select is_free_lock(null) from user
