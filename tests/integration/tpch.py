"""tpch.py - the tables and the 22 queries of TPC-H, and rows like its own, at any small scale.

The rows are made by a seeded generator of our own with the same columns, ranges and words that the
queries ask for, so the answers are not the published ones: they are compared with one server's.
"""
import datetime
import random

REFERENCE, SHARDED = ("region", "nation"), ("supplier", "customer", "part", "partsupp", "orders",
                                            "lineitem")
TABLES = {
    "region": "r_regionkey INT PRIMARY KEY, r_name CHAR(25), r_comment VARCHAR(152)",
    "nation": "n_nationkey INT PRIMARY KEY, n_name CHAR(25), n_regionkey INT NOT NULL, "
              "n_comment VARCHAR(152)",
    "supplier": "s_suppkey INT PRIMARY KEY, s_name CHAR(25), s_address VARCHAR(40), "
                "s_nationkey INT NOT NULL, s_phone CHAR(15), s_acctbal DECIMAL(15,2), "
                "s_comment VARCHAR(101)",
    "customer": "c_custkey INT PRIMARY KEY, c_name VARCHAR(25), c_address VARCHAR(40), "
                "c_nationkey INT NOT NULL, c_phone CHAR(15), c_acctbal DECIMAL(15,2), "
                "c_mktsegment CHAR(10), c_comment VARCHAR(117)",
    "part": "p_partkey INT PRIMARY KEY, p_name VARCHAR(55), p_mfgr CHAR(25), p_brand CHAR(10), "
            "p_type VARCHAR(25), p_size INT, p_container CHAR(10), p_retailprice DECIMAL(15,2), "
            "p_comment VARCHAR(23)",
    "partsupp": "ps_partkey INT, ps_suppkey INT, ps_availqty INT, ps_supplycost DECIMAL(15,2), "
                "ps_comment VARCHAR(199), PRIMARY KEY (ps_partkey, ps_suppkey)",
    "orders": "o_orderkey INT PRIMARY KEY, o_custkey INT NOT NULL, o_orderstatus CHAR(1), "
              "o_totalprice DECIMAL(15,2), o_orderdate DATE, o_orderpriority CHAR(15), "
              "o_clerk CHAR(15), o_shippriority INT, o_comment VARCHAR(79)",
    "lineitem": "l_orderkey INT, l_partkey INT NOT NULL, l_suppkey INT NOT NULL, l_linenumber INT, "
                "l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2), "
                "l_discount DECIMAL(15,2), "
                "l_tax DECIMAL(15,2), l_returnflag CHAR(1), l_linestatus CHAR(1), l_shipdate DATE, "
                "l_commitdate DATE, l_receiptdate DATE, l_shipinstruct CHAR(25), "
                "l_shipmode CHAR(10), l_comment VARCHAR(44), PRIMARY KEY (l_orderkey, "
                "l_linenumber)",
}

REGIONS = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]
NATIONS = [("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4),
           ("ETHIOPIA", 0), ("FRANCE", 3), ("GERMANY", 3), ("INDIA", 2), ("INDONESIA", 2),
           ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0), ("MOROCCO", 0),
           ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3), ("SAUDI ARABIA", 4),
           ("VIETNAM", 2), ("RUSSIA", 3), ("UNITED KINGDOM", 3), ("UNITED STATES", 1)]
COLOURS = ["almond", "green", "forest", "blue", "ivory", "lemon", "misty", "peru", "red"]
TYPES = [["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"],
         ["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"],
         ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"]]
CONTAINERS = [["SM", "LG", "MED", "JUMBO", "WRAP"],
              ["CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"]]
SEGMENTS = ["AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"]
PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
MODES = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"]
INSTRUCTIONS = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]
FIRST, DAYS = datetime.date(1992, 1, 1), 2405


class Rows:
    """`orders` is the number of orders; 1,500,000 would be TPC-H's scale factor 1."""

    def __init__(self, orders, seed=1):
        self.rng = random.Random(seed)
        self.n = {"orders": orders, "customer": max(orders // 10, 10),
                  "part": max(orders * 2 // 15, 20), "supplier": max(orders // 150, 10)}
        self.tables = {name: getattr(self, name)() for name in TABLES if name != "lineitem"}
        self.tables["lineitem"] = self.lines

    def money(self, low, high):
        return f"{self.rng.uniform(low, high):.2f}"

    def phone(self, nation):
        return f"{nation + 10}-{self.rng.randrange(100, 1000)}-{self.rng.randrange(100, 1000)}-" \
               f"{self.rng.randrange(1000, 10000)}"

    def region(self):
        return [(i, name, "r") for i, name in enumerate(REGIONS)]

    def nation(self):
        return [(i, name, region, "n") for i, (name, region) in enumerate(NATIONS)]

    def supplier(self):
        rows = []
        for i in range(1, self.n["supplier"] + 1):
            nation = (i + 5) % 25
            words = "Customer some Complaints" if self.rng.random() < 0.1 else "quiet"
            rows.append((i, f"Supplier#{i:09}", f"addr {i}", nation, self.phone(nation),
                         self.money(-999, 9999), words))
        return rows

    def customer(self):
        rows = []
        for i in range(1, self.n["customer"] + 1):
            nation = i % 25
            rows.append((i, f"Customer#{i:09}", f"addr {i}", nation, self.phone(nation),
                         self.money(-999, 9999), self.rng.choice(SEGMENTS), "c"))
        return rows

    def part(self):
        rng = self.rng
        return [(i, " ".join(rng.sample(COLOURS, 5)), f"Manufacturer#{rng.randrange(1, 6)}",
                 f"Brand#{rng.randrange(1, 6)}{rng.randrange(1, 6)}",
                 " ".join(map(rng.choice, TYPES)), rng.randrange(1, 51),
                 " ".join(map(rng.choice, CONTAINERS)), f"{900 + i / 10:.2f}", "p")
                for i in range(1, self.n["part"] + 1)]

    def partsupp(self):
        rng, suppliers = self.rng, range(1, self.n["supplier"] + 1)
        return [(part, supplier, rng.randrange(1, 10000), self.money(1, 1000), "ps")
                for part in range(1, self.n["part"] + 1)
                for supplier in rng.sample(suppliers, 4)]

    def orders(self):
        rng, rows = self.rng, []
        self.lines = []
        for i in range(1, self.n["orders"] + 1):
            key, date = i * 4 - i % 4, FIRST + datetime.timedelta(rng.randrange(DAYS))
            customer = rng.randrange(1, self.n["customer"] + 1)
            customer -= customer % 3 == 0  # a third of them never orders
            words = "very special packages requests" if rng.random() < 0.1 else "plain"
            total, open_lines = self.add_lines(key, date)
            status = "F" if not open_lines else "O" if open_lines == 2 else "P"
            rows.append((key, customer, status, f"{total:.2f}", date, rng.choice(PRIORITIES),
                         f"Clerk#{rng.randrange(1, 99):09}", 0, words))
        return rows

    def add_lines(self, key, date):
        rng, total, states = self.rng, 0, set()
        for n in range(1, rng.randrange(1, 8) + 1):
            quantity, part = rng.randrange(1, 51), rng.randrange(1, self.n["part"] + 1)
            price = quantity * (900 + part / 10)
            ship = date + datetime.timedelta(rng.randrange(1, 122))
            commit = date + datetime.timedelta(rng.randrange(30, 91))
            receipt = ship + datetime.timedelta(rng.randrange(1, 31))
            late = ship > datetime.date(1995, 6, 17)
            states.add(late)
            flag = "N" if receipt > datetime.date(1995, 6, 17) else rng.choice("RA")
            self.lines.append((key, part, rng.randrange(1, self.n["supplier"] + 1), n, quantity,
                               f"{price:.2f}", f"{rng.randrange(11) / 100:.2f}",
                               f"{rng.randrange(9) / 100:.2f}", flag, "O" if late else "F", ship,
                               commit, receipt, rng.choice(INSTRUCTIONS), rng.choice(MODES), "l"))
            total += price
        return total, 2 if states == {True} else len(states) - (states == {False})

    def fill(self, connection, sharded):
        """Into an empty database."""
        with connection.cursor() as c:
            for name, columns in TABLES.items():
                comment = " COMMENT 'shardd: reference'" if sharded and name in REFERENCE else ""
                c.execute(f"CREATE TABLE {name} ({columns}){comment}")
            for name, rows in self.tables.items():
                places = ",".join(["%s"] * len(rows[0]))
                for at in range(0, len(rows), 2000):
                    c.executemany(f"INSERT INTO {name} VALUES ({places})", rows[at:at + 2000])


QUERIES = {
    1: """SELECT l_returnflag, l_linestatus, SUM(l_quantity) AS sum_qty,
        SUM(l_extendedprice) AS sum_base_price,
        SUM(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
        SUM(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge,
        AVG(l_quantity) AS avg_qty, AVG(l_extendedprice) AS avg_price, AVG(l_discount) AS avg_disc,
        COUNT(*) AS count_order FROM lineitem
        WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL 90 DAY
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus""",
    2: """SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
        FROM part, supplier, partsupp, nation, region
        WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size > 15
        AND p_type LIKE '%BRASS' AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
        AND r_name = 'EUROPE' AND ps_supplycost = (SELECT MIN(ps_supplycost)
        FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey
        AND s_suppkey = ps_suppkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
        AND r_name = 'EUROPE')
        ORDER BY s_acctbal DESC, n_name, s_name, p_partkey LIMIT 100""",
    3: """SELECT l_orderkey, SUM(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate,
        o_shippriority FROM customer, orders, lineitem WHERE c_mktsegment = 'BUILDING'
        AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < DATE '1995-03-15'
        AND l_shipdate > DATE '1995-03-15' GROUP BY l_orderkey, o_orderdate, o_shippriority
        ORDER BY revenue DESC, o_orderdate LIMIT 10""",
    4: """SELECT o_orderpriority, COUNT(*) AS order_count FROM orders
        WHERE o_orderdate >= DATE '1993-07-01' AND o_orderdate < DATE '1993-07-01' + INTERVAL 3
        MONTH
        AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey
        AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority ORDER BY o_orderpriority""",
    5: """SELECT n_name, SUM(l_extendedprice * (1 - l_discount)) AS revenue
        FROM customer, orders, lineitem, supplier, nation, region WHERE c_custkey = o_custkey
        AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey AND c_nationkey = s_nationkey
        AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'ASIA'
        AND o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1994-01-01' + INTERVAL 1 YEAR
        GROUP BY n_name ORDER BY revenue DESC""",
    6: """SELECT SUM(l_extendedprice * l_discount) AS revenue FROM lineitem
        WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1994-01-01' + INTERVAL 1 YEAR
        AND l_discount BETWEEN .06 - 0.01 AND .06 + 0.01 AND l_quantity < 24""",
    7: """SELECT supp_nation, cust_nation, l_year, SUM(volume) AS revenue FROM
        (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation,
        EXTRACT(YEAR FROM l_shipdate) AS l_year, l_extendedprice * (1 - l_discount) AS volume
        FROM supplier, lineitem, orders, customer, nation n1, nation n2
        WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey
        AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
        AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY')
        OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE'))
        AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31') AS shipping
        GROUP BY supp_nation, cust_nation, l_year ORDER BY supp_nation, cust_nation, l_year""",
    8: """SELECT o_year, SUM(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / SUM(volume)
        AS mkt_share FROM (SELECT EXTRACT(YEAR FROM o_orderdate) AS o_year,
        l_extendedprice * (1 - l_discount) AS volume, n2.n_name AS nation
        FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region
        WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey
        AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey
        AND n1.n_regionkey = r_regionkey AND r_name = 'AMERICA' AND s_nationkey = n2.n_nationkey
        AND o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
        AND p_type LIKE 'ECONOMY%') AS all_nations GROUP BY o_year ORDER BY o_year""",
    9: """SELECT nation, o_year, SUM(amount) AS sum_profit FROM (SELECT n_name AS nation,
        EXTRACT(YEAR FROM o_orderdate) AS o_year,
        l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
        FROM part, supplier, lineitem, partsupp, orders, nation WHERE s_suppkey = l_suppkey
        AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey AND p_partkey = l_partkey
        AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey AND p_name LIKE '%green%')
        AS profit GROUP BY nation, o_year ORDER BY nation, o_year DESC""",
    10: """SELECT c_custkey, c_name, SUM(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal,
        n_name, c_address, c_phone, c_comment FROM customer, orders, lineitem, nation
        WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= DATE '1993-10-01'
        AND o_orderdate < DATE '1993-10-01' + INTERVAL 3 MONTH AND l_returnflag = 'R'
        AND c_nationkey = n_nationkey
        GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
        ORDER BY revenue DESC, c_custkey LIMIT 20""",
    11: """SELECT ps_partkey, SUM(ps_supplycost * ps_availqty) AS value
        FROM partsupp, supplier, nation WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey
        AND n_name = 'GERMANY' GROUP BY ps_partkey
        HAVING SUM(ps_supplycost * ps_availqty) > (SELECT SUM(ps_supplycost * ps_availqty) * 0.01
        FROM partsupp, supplier, nation WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey
        AND n_name = 'GERMANY') ORDER BY value DESC""",
    12: """SELECT l_shipmode, SUM(CASE WHEN o_orderpriority = '1-URGENT'
        OR o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END) AS high_line_count,
        SUM(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH' THEN 1 ELSE 0
        END)
        AS low_line_count FROM orders, lineitem WHERE o_orderkey = l_orderkey
        AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate
        AND l_shipdate < l_commitdate AND l_receiptdate >= DATE '1994-01-01'
        AND l_receiptdate < DATE '1994-01-01' + INTERVAL 1 YEAR
        GROUP BY l_shipmode ORDER BY l_shipmode""",
    13: """SELECT c_count, COUNT(*) AS custdist FROM (SELECT c_custkey, COUNT(o_orderkey) AS c_count
        FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey
        AND o_comment NOT LIKE '%special%requests%' GROUP BY c_custkey) AS c_orders
        GROUP BY c_count ORDER BY custdist DESC, c_count DESC""",
    14: """SELECT 100.00 * SUM(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 -
        l_discount)
        ELSE 0 END) / SUM(l_extendedprice * (1 - l_discount)) AS promo_revenue FROM lineitem, part
        WHERE l_partkey = p_partkey AND l_shipdate >= DATE '1995-09-01'
        AND l_shipdate < DATE '1995-09-01' + INTERVAL 1 MONTH""",
    15: """WITH revenue AS (SELECT l_suppkey AS supplier_no,
        SUM(l_extendedprice * (1 - l_discount)) AS total_revenue FROM lineitem
        WHERE l_shipdate >= DATE '1996-01-01' AND l_shipdate < DATE '1996-01-01' + INTERVAL 3 MONTH
        GROUP BY l_suppkey)
        SELECT s_suppkey, s_name, s_address, s_phone, total_revenue FROM supplier, revenue
        WHERE s_suppkey = supplier_no AND total_revenue = (SELECT MAX(total_revenue) FROM revenue)
        ORDER BY s_suppkey""",
    16: """SELECT p_brand, p_type, p_size, COUNT(DISTINCT ps_suppkey) AS supplier_cnt
        FROM partsupp, part WHERE p_partkey = ps_partkey AND p_brand <> 'Brand#45'
        AND p_type NOT LIKE 'MEDIUM POLISHED%' AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
        AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier
        WHERE s_comment LIKE '%Customer%Complaints%') GROUP BY p_brand, p_type, p_size
        ORDER BY supplier_cnt DESC, p_brand, p_type, p_size""",
    17: """SELECT SUM(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part
        WHERE p_partkey = l_partkey AND p_brand LIKE 'Brand#2%' AND p_container LIKE 'MED%'
        AND l_quantity < (SELECT 0.5 * AVG(l_quantity) FROM lineitem WHERE l_partkey =
        p_partkey)""",
    18: """SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, SUM(l_quantity)
        FROM customer, orders, lineitem WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem
        GROUP BY l_orderkey HAVING SUM(l_quantity) > 200) AND c_custkey = o_custkey
        AND o_orderkey = l_orderkey
        GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
        ORDER BY o_totalprice DESC, o_orderdate LIMIT 100""",
    19: """SELECT SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem, part
        WHERE (p_partkey = l_partkey AND p_brand LIKE 'Brand#1%' AND p_container IN ('SM CASE',
        'SM BOX', 'SM PACK', 'SM PKG') AND l_quantity >= 1 AND l_quantity <= 11
        AND p_size BETWEEN 1 AND 15 AND l_shipmode IN ('AIR', 'REG AIR')
        AND l_shipinstruct = 'DELIVER IN PERSON') OR (p_partkey = l_partkey
        AND p_brand LIKE 'Brand#2%' AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
        AND l_quantity >= 10 AND l_quantity <= 20 AND p_size BETWEEN 1 AND 30
        AND l_shipmode IN ('AIR', 'REG AIR') AND l_shipinstruct = 'DELIVER IN PERSON')
        OR (p_partkey = l_partkey AND p_brand LIKE 'Brand#3%' AND p_container IN ('LG CASE',
        'LG BOX', 'LG PACK', 'LG PKG') AND l_quantity >= 20 AND l_quantity <= 30
        AND p_size BETWEEN 1 AND 45 AND l_shipmode IN ('AIR', 'REG AIR')
        AND l_shipinstruct = 'DELIVER IN PERSON')""",
    20: """SELECT s_name, s_address FROM supplier, nation WHERE s_suppkey IN (SELECT ps_suppkey
        FROM partsupp WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')
        AND ps_availqty > (SELECT 0.5 * SUM(l_quantity) FROM lineitem
        WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey AND l_shipdate >= DATE '1994-01-01'
        AND l_shipdate < DATE '1994-01-01' + INTERVAL 1 YEAR)) AND s_nationkey = n_nationkey
        AND n_name >= 'C' ORDER BY s_name""",
    21: """SELECT s_name, COUNT(*) AS numwait FROM supplier, lineitem l1, orders, nation
        WHERE s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F'
        AND l1.l_receiptdate > l1.l_commitdate AND EXISTS (SELECT * FROM lineitem l2
        WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey)
        AND NOT EXISTS (SELECT * FROM lineitem l3 WHERE l3.l_orderkey = l1.l_orderkey
        AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate)
        AND s_nationkey = n_nationkey AND n_name < 'P' GROUP BY s_name
        ORDER BY numwait DESC, s_name LIMIT 100""",
    22: """SELECT cntrycode, COUNT(*) AS numcust, SUM(c_acctbal) AS totacctbal FROM
        (SELECT SUBSTRING(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer
        WHERE SUBSTRING(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
        AND c_acctbal > (SELECT AVG(c_acctbal) FROM customer WHERE c_acctbal > 0.00
        AND SUBSTRING(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17'))
        AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)) AS custsale
        GROUP BY cntrycode ORDER BY cntrycode""",
}
