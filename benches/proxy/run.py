#!/usr/bin/env python3
"""What Sabir costs beside other proxies, on this machine, in one run: `make bench`, `make bench-quick`.

Each proxy is pinned to one core, wrk and the service behind it to another. All run at once; rounds of one second go
round in shuffled order, so that whatever else the machine does hits all alike. What is told is the median of the rounds,
and of the ratios to nginx within the same round. CPU is user and system time of the proxy's process per request.

The nginx beside it is Debian's with its access log on; like Sabir's, the log is written in batches.

    run.py [--rounds N] [--connections 16,64,256] [--work keyauth,rooms] [--proxies sabir,nginx,…]
           [--sabir BINARY] [--beside NAME=BINARY …] [--aim] [--keep FOLDER]

`--beside` measures further binaries of Sabir in the same run: before and after a change.
"""

import argparse, http.client, json, os, random, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time
from pathlib import Path
from urllib.parse import urlencode

HERE, ROOT = Path(__file__).parent, Path(__file__).parent.parent.parent
PROXY_CORE, LOAD_CORE = "0", "1"
OWNERID, ENCKEY = "tiQhtH5R88", "4f0c7a86b1e2"
ENVIRONMENT = {"BENCH_PASSWORD": "a-password", "BENCH_SECRET": "5" * 64, "BENCH_TOKEN": "t" * 40}
ENVIRONMENT |= {key: os.environ[key] for key in ("PATH", "HOME", "SABIR_LOG") if key in os.environ}
TEXT = "hello from the other side, how is it going over there?"
# These do not translate: they carry the same bytes to the service and back.
PLAIN = ("nginx", "haproxy")


def main():
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="sabir-bench-") as folder:
        bench = Bench(Path(asked.keep or folder))
        try:
            bench.start(asked)
            rounds = measure(bench, asked)
            bench.check()
            table = Table(rounds, bench.memory)
            table.print()
        finally:
            bench.stop()
    if asked.aim and not table.aims_are_met():
        sys.exit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--connections", type=lambda text: [int(one) for one in text.split(",")], default=[16, 64, 256])
    parser.add_argument("--work", type=lambda text: text.split(","), default=["keyauth", "rooms"])
    parser.add_argument("--proxies", type=lambda text: text.split(","), default=["sabir", "nginx", "haproxy", "lua"])
    parser.add_argument("--sabir", metavar="BINARY", help="otherwise that of target/release")
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=BINARY")
    parser.add_argument("--aim", action="store_true", help="fail if the aims are missed")
    parser.add_argument("--keep", metavar="FOLDER", help="keep logs and stores here")
    asked = parser.parse_args()
    if asked.aim and not {"sabir", "nginx", "lua"} <= set(asked.proxies):
        parser.error("the aims are about sabir, nginx and lua: all three must run")
    return asked


class Bench:
    """The processes of one run."""

    def __init__(self, folder):
        self.folder, self.running, self.proxies, self.sabirs, self.memory = folder, [], {}, {}, {}
        folder.mkdir(exist_ok=True)

    def start(self, asked):
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
        service = self.run("upstream", [target / "examples/upstream"], LOAD_CORE, stdout=subprocess.PIPE)
        self.upstream = service.stdout.readline().decode().strip()
        binaries = {"sabir": asked.sabir or target / "sabir"} if "sabir" in asked.proxies else {}
        binaries |= dict(one.split("=", 1) for one in asked.beside)
        for name, binary in binaries.items():
            self.sabir(name, binary)
        if "nginx" in asked.proxies:
            self.nginx("nginx", server=PROXY_PASS)
        if "haproxy" in asked.proxies:
            port = free_port()
            config = self.fill("haproxy.cfg", "haproxy.cfg", port=port)
            self.proxy("haproxy", port, ["haproxy", "-f", config])
        if "lua" in asked.proxies:
            script = self.fill("translate.lua", "translate.lua", ownerid=OWNERID, secret=ENVIRONMENT["BENCH_SECRET"],
                               enckey=ENCKEY)
            modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"
            start = f'translate = dofile("{script}"); ngx.shared.sessions:set("bench-session", "alice")'
            self.nginx("lua", LUA_SERVER, modules=modules,
                       in_http=f"lua_shared_dict sessions 1m; init_by_lua_block {{ {start} }}")

    def sabir(self, name, binary):
        port, admin = free_port(), free_port()
        config = self.fill("sabir.toml", f"{name}.toml", port=port, admin=admin, name=name, ownerid=OWNERID)
        self.proxy(name, port, [binary, "--config", config, "serve"])
        self.sabirs[name] = (admin, sign_in(port))

    def nginx(self, name, server, modules="", in_http=""):
        port = free_port()
        config = self.fill("nginx.conf", f"{name}.conf", port=port, name=name, modules=modules, in_http=in_http,
                           server=server)
        self.proxy(name, port, ["nginx", "-p", self.folder, "-c", config])

    def proxy(self, name, port, command):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = self.run(name, command, PROXY_CORE, stdout=log, stderr=log)
        self.proxies[name] = (process.pid, port)
        for _ in range(200):
            if process.poll() is not None:
                sys.exit(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-2000:]}")
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{name} does not listen")

    def run(self, name, command, core, **kept):
        command = ["taskset", "-c", core, *map(str, command)]
        try:
            process = subprocess.Popen(command, env=ENVIRONMENT, **kept)
        except FileNotFoundError as why:
            sys.exit(f"{name}: {why}; scripts/tools.sh bench installs what is needed")
        self.running.append(process)
        return process

    def fill(self, source, target, **values):
        values = {"folder": self.folder, "upstream": self.upstream, **values}
        text = re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), (HERE / source).read_text())
        path = self.folder / target
        path.write_text(text)
        return path

    def check(self):
        """Everything that Sabir was asked is done: KeyAuth answers 200 to mistakes too."""
        for name, (admin, _) in self.sabirs.items():
            metrics = fetch(admin, "GET", "/metrics").decode()
            others = [line for line in metrics.splitlines()
                      if line.startswith("sabir_requests_total{") and 'outcome="done"' not in line]
            if others:
                sys.exit(f"{name} did not carry out everything:\n" + "\n".join(others))

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.wait(20)


PROXY_PASS = """location / {
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }"""
LUA_SERVER = """location /api/1.2/ { content_by_lua_block { translate() } }
        location /chat-messages {
            internal;
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Content-Type application/json;
            proxy_set_header Authorization "Bearer """ + ENVIRONMENT["BENCH_TOKEN"] + """";
        }"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def fetch(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, headers or {})
    reply = connection.getresponse().read()
    connection.close()
    return reply


def sign_in(port):
    """Opens a KeyAuth session and signs in to it."""
    def ask(**form):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = json.loads(fetch(port, "POST", "/api/1.2/", urlencode({**form, "name": "bench", "ownerid": OWNERID}), kind))
        return reply if reply["success"] else sys.exit(f"Sabir does not let us in: {reply}")
    session = ask(type="init", ver="1.0", enckey=ENCKEY)["sessionid"]
    ask(type="login", sessionid=session, username="alice", **{"pass": ENVIRONMENT["BENCH_PASSWORD"]})
    return session


def load(bench, work, name):
    """The request that wrk repeats. A plain proxy carries the same bytes as one that translates."""
    if work == "rooms":
        path, kind, body = "/chat-messages", "application/json", json.dumps({"room": "general", "text": TEXT})
    else:
        session = bench.sabirs[name][1] if name in bench.sabirs else "bench-session"
        path, kind = "/api/1.2/", "application/x-www-form-urlencoded"
        body = urlencode({"type": "chatsend", "channel": "general", "message": TEXT, "sessionid": session,
                          "name": "bench", "ownerid": OWNERID})
    script = bench.fill("load.lua", f"{work}-{name}.lua", body=body, kind=kind, token=ENVIRONMENT["BENCH_TOKEN"])
    return path, script


def measure(bench, asked):
    """Rounds by (work, connections), each a list of {proxy: sample}."""
    plan = {}
    for work in asked.work:
        for name, (_, port) in bench.proxies.items():
            if work == "rooms" and name == "lua":
                continue
            path, script = load(bench, work, name)
            reply = fetch_once(port, path, script)
            if name not in PLAIN and work == "keyauth" and b'"success":true' not in reply:
                sys.exit(f"{name} answers {reply!r}")
            plan.setdefault(work, []).append((name, port, path, script))
    rounds = {(work, connections): [] for connections in asked.connections for work in asked.work}
    for (work, connections), found in rounds.items():
        for number in range(asked.rounds):
            say(f"{work}, {connections} connections, round {number + 1}")
            order = random.sample(plan[work], len(plan[work]))
            found.append({name: one_round(bench, name, port, path, script, connections)
                          for name, port, path, script in order})
    say("")
    return rounds


def say(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")


def fetch_once(port, path, script):
    text = script.read_text()
    body = re.search(r"wrk.body = '(.*)'", text)[1]
    headers = dict(re.findall(r'wrk.headers\["(.*)"\] = "(.*)"', text))
    return fetch(port, "POST", path, body, headers)


def one_round(bench, name, port, path, script, connections):
    pid = bench.proxies[name][0]
    before, user_before = processor_time(pid), user_time(pid)
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", "-d1s", "-s", script,
               f"http://127.0.0.1:{port}{path}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    time.sleep(0.02)
    spent, user = processor_time(pid) - before, user_time(pid) - user_before
    requests, micros, p50, p99, failed = map(int, re.search(r"measured ([\d ]+)", told)[1].split())
    if failed or not requests:
        sys.exit(f"{name}: {failed} of {requests} requests failed\n{told}")
    bench.memory[name] = max(bench.memory.get(name, 0), resident(pid))
    return {"rate": requests / micros * 1e6, "p50": p50, "p99": p99, "cpu": spent / requests, "user": user / requests}


def family(pid):
    """A process and its children: nginx does its work in one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def processor_time(pid):
    """User and system time, microseconds. The scheduler's own count: that of `stat` goes in steps of 10 ms."""
    tasks = (task for one in family(pid) for task in Path(f"/proc/{one}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000


def user_time(pid):
    """What of it the process spent in its own code, as far as the kernel's ticks tell."""
    stats = (Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split() for one in family(pid))
    return sum(int(stat[11]) for stat in stats) / os.sysconf("SC_CLK_TCK") * 1e6


def resident(pid):
    """Kilobytes in memory."""
    lines = (Path(f"/proc/{one}/status").read_text() for one in family(pid))
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in lines)


class Table:
    def __init__(self, rounds, memory):
        self.rounds, self.memory = rounds, memory

    def median(self, key, name, value):
        return statistics.median(one[name][value] for one in self.rounds[key])

    def ratio(self, key, name, to, value):
        return statistics.median(one[name][value] / one[to][value] for one in self.rounds[key])

    def print(self):
        print("The median of the rounds; × is the median of the ratios to nginx proxy_pass in the same round.\n")
        for (work, connections), found in self.rounds.items():
            print(f"{work} → rooms, {connections} connections    req/s   p50 µs   p99 µs      ×   CPU µs (user)      ×")
            for name in found[0]:
                rate, p50, p99, cpu, user = (self.median((work, connections), name, value)
                                             for value in ("rate", "p50", "p99", "cpu", "user"))
                versus = [f"{self.ratio((work, connections), name, 'nginx', value):.2f}" if "nginx" in found[0] else "–"
                          for value in ("p99", "cpu")]
                print(f"  {name:<28} {rate:>8.0f} {p50:>8.0f} {p99:>8.0f} {versus[0]:>6} {cpu:>8.1f} ({user:4.1f}) {versus[1]:>6}")
            print()
        print("Resident at most: " + ", ".join(f"{name} {kilobytes / 1024:.1f} MiB" for name, kilobytes in self.memory.items()))

    def aims_are_met(self):
        """CPU and p99 at most 1.15 × nginx, CPU at most 0.75 × nginx and Lua, 32 MiB at most."""
        aims = [(f"{value} to nginx, {work}, {connections}", self.ratio((work, connections), "sabir", "nginx", value), 1.15)
                for work, connections in self.rounds for value in ("cpu", "p99")]
        aims += [(f"cpu to lua, {connections}", self.ratio((work, connections), "sabir", "lua", "cpu"), 0.75)
                 for work, connections in self.rounds if work == "keyauth"]
        aims.append(("MiB resident", self.memory["sabir"] / 1024, 32))
        for aim, found, most in aims:
            print(f"  {'met   ' if found <= most else 'MISSED'} {aim}: {found:.2f}, at most {most}")
        return all(found <= most for _, found, most in aims)


if __name__ == "__main__":
    main()
