"""tpcc.py - transactions in the style of TPC-C: the nine tables, sharded by warehouse, its five
kinds of transactions, and conditions 1 to 4 of what must always hold between the tables.

Orders take some of their items from other warehouses, and some customers pay in another one than
their own: these transactions write on several shards.
"""
import random

TABLES = [
    "CREATE TABLE item (i_id INT PRIMARY KEY, i_name VARCHAR(24), i_price DECIMAL(5,2)) "
    "COMMENT 'shardd: reference'",
    "CREATE TABLE warehouse (w_id INT PRIMARY KEY, w_tax DECIMAL(4,4), w_ytd DECIMAL(12,2))",
    "CREATE TABLE district (d_w_id INT, d_id INT, d_tax DECIMAL(4,4), d_ytd DECIMAL(12,2), "
    "d_next_o_id INT, PRIMARY KEY (d_w_id, d_id))",
    "CREATE TABLE customer (c_w_id INT, c_d_id INT, c_id INT, c_last VARCHAR(16), "
    "c_discount DECIMAL(4,4), c_balance DECIMAL(12,2), c_ytd_payment DECIMAL(12,2), "
    "c_payment_cnt INT, c_delivery_cnt INT, PRIMARY KEY (c_w_id, c_d_id, c_id), "
    "KEY (c_w_id, c_d_id, c_last))",
    "CREATE TABLE history (h_w_id INT, h_id BIGINT AUTO_INCREMENT, h_d_id INT, h_c_w_id INT, "
    "h_c_d_id INT, h_c_id INT, h_amount DECIMAL(6,2), PRIMARY KEY (h_w_id, h_id), KEY (h_id))",
    "CREATE TABLE orders (o_w_id INT, o_d_id INT, o_id INT, o_c_id INT, o_carrier_id INT, "
    "o_ol_cnt INT, o_all_local INT, PRIMARY KEY (o_w_id, o_d_id, o_id), "
    "KEY (o_w_id, o_d_id, o_c_id))",
    "CREATE TABLE new_order (no_w_id INT, no_d_id INT, no_o_id INT, "
    "PRIMARY KEY (no_w_id, no_d_id, no_o_id))",
    "CREATE TABLE order_line (ol_w_id INT, ol_d_id INT, ol_o_id INT, ol_number INT, ol_i_id INT, "
    "ol_supply_w_id INT, ol_quantity INT, ol_amount DECIMAL(8,2), ol_delivered INT, "
    "PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number))",
    "CREATE TABLE stock (s_w_id INT, s_i_id INT, s_quantity INT, s_ytd INT, s_order_cnt INT, "
    "s_remote_cnt INT, PRIMARY KEY (s_w_id, s_i_id))",
]
CONTENT = {"history": "h_w_id, h_d_id, h_c_w_id, h_c_d_id, h_c_id, h_amount"}
NAMES = ["item", "warehouse", "district", "customer", "history", "orders", "new_order",
         "order_line", "stock"]
LAST = ["BAR", "OUGHT", "ABLE", "PRI", "PRES"]

# What is wrong, of each: no row.
CONDITIONS = [
    "SELECT w_id FROM warehouse JOIN (SELECT d_w_id, SUM(d_ytd) AS s FROM district GROUP BY d_w_id)"
    " d ON d_w_id = w_id WHERE w_ytd <> s",
    "SELECT d_w_id, d_id FROM district LEFT JOIN (SELECT o_w_id, o_d_id, MAX(o_id) AS m FROM orders"
    " GROUP BY o_w_id, o_d_id) o ON o_w_id = d_w_id AND o_d_id = d_id"
    " WHERE d_next_o_id - 1 <> IFNULL(m, 0)",
    "SELECT no_w_id, no_d_id FROM new_order GROUP BY no_w_id, no_d_id"
    " HAVING MAX(no_o_id) - MIN(no_o_id) + 1 <> COUNT(*)",
    "SELECT d_w_id, d_id, no_m FROM district JOIN (SELECT no_w_id, no_d_id, MAX(no_o_id) AS no_m"
    " FROM new_order GROUP BY no_w_id, no_d_id) n ON no_w_id = d_w_id AND no_d_id = d_id"
    " WHERE d_next_o_id - 1 <> no_m",
    "SELECT x.o_w_id, x.o_d_id FROM (SELECT o_w_id, o_d_id, SUM(o_ol_cnt) AS n FROM orders"
    " GROUP BY o_w_id, o_d_id) x JOIN (SELECT ol_w_id, ol_d_id, COUNT(*) AS n FROM order_line"
    " GROUP BY ol_w_id, ol_d_id) y ON y.ol_w_id = x.o_w_id AND y.ol_d_id = x.o_d_id"
    " WHERE x.n <> y.n",
]


class Scale:
    def __init__(self, warehouses=4, districts=3, customers=20, items=100):
        self.warehouses, self.districts = warehouses, districts
        self.customers, self.items = customers, items


def rows(scale):
    """(table, rows) of the beginning."""
    w, d = range(1, scale.warehouses + 1), range(1, scale.districts + 1)
    c, i = range(1, scale.customers + 1), range(1, scale.items + 1)
    yield "item", [f"({n}, 'i{n}', {n % 90 + 1}.50)" for n in i]
    yield "warehouse", [f"({n}, 0.{n % 10:02}, 0)" for n in w]
    yield "district", [f"({a}, {b}, 0.{b:02}, 0, 1)" for a in w for b in d]
    yield "customer", [f"({a}, {b}, {n}, '{LAST[n % 5]}', 0.{n % 50:02}, -10, 10, 1, 0)"
                       for a in w for b in d for n in c]
    yield "stock", [f"({a}, {n}, {n % 90 + 10}, 0, 0, 0)" for a in w for n in i]


def load(cursor, scale):
    for sql in TABLES:
        cursor.execute(sql)
    for table, values in rows(scale):
        for at in range(0, len(values), 500):
            cursor.execute(f"INSERT INTO {table} VALUES " + ",".join(values[at:at + 500]))


class Terminal:
    """Plans transactions by its own random numbers; the same seed gives the same ones."""

    def __init__(self, scale, seed, remote=0.15):
        self.scale, self.rng, self.remote = scale, random.Random(seed), remote

    def other(self, w):
        """Mostly this warehouse."""
        if self.scale.warehouses == 1 or self.rng.random() >= self.remote:
            return w
        return self.rng.choice([n for n in range(1, self.scale.warehouses + 1) if n != w])

    def place(self):
        r, s = self.rng, self.scale
        return (r.randint(1, s.warehouses), r.randint(1, s.districts), r.randint(1, s.customers))

    def next(self):
        kind = self.rng.choices(["new_order", "payment", "order_status", "delivery",
                                 "stock_level"], [45, 43, 4, 4, 4])[0]
        w, d, c = self.place()
        if kind == "new_order":
            items = sorted({self.rng.randint(1, self.scale.items)
                            for _ in range(self.rng.randint(5, 10))})
            lines = [(i, self.other(w), self.rng.randint(1, 10)) for i in items]
            return new_order, (w, d, c, lines, self.rng.random() < 0.05)
        if kind == "payment":
            by_name = self.rng.choice(LAST) if self.rng.random() < 0.6 else None
            return payment, (w, d, self.other(w), self.rng.randint(1, self.scale.districts), c,
                             by_name, self.rng.randint(100, 500000) / 100)
        if kind == "delivery":
            return delivery, (w, self.scale.districts, self.rng.randint(1, 10))
        return (order_status, (w, d, c)) if kind == "order_status" else \
            (stock_level, (w, d, self.rng.randint(10, 20)))


def one(cursor, sql, args):
    cursor.execute(sql, args)
    return cursor.fetchone()


def new_order(cursor, w, d, c, lines, fails):
    """The one that fails at its end leaves nothing."""
    one(cursor, "SELECT c_discount, c_last, w_tax FROM customer JOIN warehouse ON w_id = c_w_id "
                "WHERE c_w_id = %s AND c_d_id = %s AND c_id = %s", (w, d, c))
    number, = one(cursor, "SELECT d_next_o_id FROM district WHERE d_w_id = %s AND d_id = %s "
                          "FOR UPDATE", (w, d))
    cursor.execute("UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = %s AND "
                   "d_id = %s", (w, d))
    local = int(all(s == w for _, s, _ in lines))
    cursor.execute("INSERT INTO orders VALUES (%s, %s, %s, %s, NULL, %s, %s)",
                   (w, d, number, c, len(lines), local))
    cursor.execute("INSERT INTO new_order VALUES (%s, %s, %s)", (w, d, number))
    for n, (i, supply, quantity) in enumerate(lines, 1):
        price, = one(cursor, "SELECT i_price FROM item WHERE i_id = %s", (i,))
        left, = one(cursor, "SELECT s_quantity FROM stock WHERE s_w_id = %s AND s_i_id = %s "
                            "FOR UPDATE", (supply, i))
        cursor.execute(
            "UPDATE stock SET s_quantity = %s, s_ytd = s_ytd + %s, s_order_cnt = s_order_cnt + 1, "
            "s_remote_cnt = s_remote_cnt + %s WHERE s_w_id = %s AND s_i_id = %s",
            (left - quantity + (91 if left - quantity < 10 else 0), quantity, int(supply != w),
             supply, i))
        cursor.execute("INSERT INTO order_line VALUES (%s, %s, %s, %s, %s, %s, %s, %s, NULL)",
                       (w, d, number, n, i, supply, quantity, price * quantity))
    return not fails


def payment(cursor, w, d, c_w, c_d, c, by_name, amount):
    cursor.execute("UPDATE warehouse SET w_ytd = w_ytd + %s WHERE w_id = %s", (amount, w))
    cursor.execute("UPDATE district SET d_ytd = d_ytd + %s WHERE d_w_id = %s AND d_id = %s",
                   (amount, w, d))
    if by_name is not None:
        cursor.execute("SELECT c_id FROM customer WHERE c_w_id = %s AND c_d_id = %s AND "
                       "c_last = %s ORDER BY c_id", (c_w, c_d, by_name))
        found = cursor.fetchall()
        c = found[len(found) // 2][0]
    cursor.execute("UPDATE customer SET c_balance = c_balance - %s, c_ytd_payment = c_ytd_payment "
                   "+ %s, c_payment_cnt = c_payment_cnt + 1 WHERE c_w_id = %s AND c_d_id = %s "
                   "AND c_id = %s", (amount, amount, c_w, c_d, c))
    cursor.execute("INSERT INTO history (h_w_id, h_d_id, h_c_w_id, h_c_d_id, h_c_id, h_amount) "
                   "VALUES (%s, %s, %s, %s, %s, %s)", (w, d, c_w, c_d, c, amount))
    return True


def order_status(cursor, w, d, c):
    found = one(cursor, "SELECT o_id FROM orders WHERE o_w_id = %s AND o_d_id = %s AND "
                        "o_c_id = %s ORDER BY o_id DESC LIMIT 1", (w, d, c))
    if found:
        cursor.execute("SELECT ol_i_id, ol_amount FROM order_line WHERE ol_w_id = %s AND "
                       "ol_d_id = %s AND ol_o_id = %s", (w, d, found[0]))
        assert cursor.fetchall()
    return True


def delivery(cursor, w, districts, carrier):
    """Its reads lock: an order that came after the transaction's first one is read as it is."""
    for d in range(1, districts + 1):
        found = one(cursor, "SELECT no_o_id FROM new_order WHERE no_w_id = %s AND no_d_id = %s "
                            "ORDER BY no_o_id LIMIT 1 FOR UPDATE", (w, d))
        if not found:
            continue
        at = (w, d, found[0])
        cursor.execute("DELETE FROM new_order WHERE no_w_id = %s AND no_d_id = %s AND "
                       "no_o_id = %s", at)
        c, = one(cursor, "SELECT o_c_id FROM orders WHERE o_w_id = %s AND o_d_id = %s AND "
                         "o_id = %s FOR UPDATE", at)
        cursor.execute("UPDATE orders SET o_carrier_id = %s WHERE o_w_id = %s AND o_d_id = %s "
                       "AND o_id = %s", (carrier, *at))
        cursor.execute("UPDATE order_line SET ol_delivered = 1 WHERE ol_w_id = %s AND "
                       "ol_d_id = %s AND ol_o_id = %s", at)
        cursor.execute("SELECT ol_amount FROM order_line WHERE ol_w_id = %s AND ol_d_id = %s AND "
                       "ol_o_id = %s FOR UPDATE", at)
        total = sum(amount for amount, in cursor.fetchall())
        cursor.execute("UPDATE customer SET c_balance = c_balance + %s, c_delivery_cnt = "
                       "c_delivery_cnt + 1 WHERE c_w_id = %s AND c_d_id = %s AND c_id = %s",
                       (total, w, d, c))
    return True


def stock_level(cursor, w, d, below):
    number, = one(cursor, "SELECT d_next_o_id FROM district WHERE d_w_id = %s AND d_id = %s",
                  (w, d))
    one(cursor, "SELECT COUNT(DISTINCT s_i_id) FROM order_line JOIN stock ON s_w_id = ol_w_id AND "
                "s_i_id = ol_i_id WHERE ol_w_id = %s AND ol_d_id = %s AND ol_o_id >= %s AND "
                "s_quantity < %s", (w, d, number - 20, below))
    return True


def run_one(connection, transaction):
    """One transaction; false: it had to be given up (a deadlock), and is undone."""
    kind, args = transaction
    connection.begin()
    with connection.cursor() as cursor:
        (connection.commit if kind(cursor, *args) else connection.rollback)()


def wrong(sql):
    """The conditions that do not hold; `sql` runs a statement."""
    return [(c, found) for c in CONDITIONS if (found := sql(c))]
