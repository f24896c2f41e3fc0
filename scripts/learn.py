#!/usr/bin/env python3
"""Asks a Sabir everything that it is used for, so that a build that counts sees what runs often: learn.py BINARY [ROUNDS]

One Sabir stands before another one. Clients of every dialect send and list messages that the near one keeps itself, and
such that the far one keeps, to which it speaks every dialect it can. So both roles of each dialect are counted, the store
and what all requests share. Each answer is looked at: what is learnt from refusals would be wrong.

`make dist` builds by what was counted. Each of the two writes its counts when it ends.
"""

import http.client, json, os, re, signal, subprocess, sys, tempfile, threading
from pathlib import Path
from urllib.parse import urlencode

CLIENTS = 16
OWNERID, SECRET, KEY = "tiQhtH5R88", "5" * 64, "k" * 40
PEOPLE = """
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "a-password"
token    = "a-token"

[[application]]
name    = "learn"
keyauth = { ownerid = "%s", secret = "%s", version = "1.0" }
socket  = { secret = "%s" }
""" % (OWNERID, SECRET, KEY)
# What the near Sabir needs to speak a dialect as a client.
CREDENTIALS = {
    "keyauth": 'credential = { username = "alice", password = "a-password" }\n'
               f'app = {{ name = "learn", ownerid = "{OWNERID}", version = "1.0", secret = "{SECRET}" }}',
    "rooms": 'credential = { token = "a-token" }',
    "glimesh": 'credential = { token = "a-token" }',
    "chats": 'credential = { email = "alice@example.com", password = "a-password" }',
    "slack": 'credential = { token = "a-token" }',
    "discord": 'credential = { token = "a-token" }',
    "matrix": 'credential = { token = "a-token" }',
    "socket": f'credential = {{ secret = "{KEY}" }}',
}
# These keep nothing that could be listed.
UNREADABLE = {"socket"}
HOME = "home"
TEXT = "hello from the other side, how is it going over there? \U0001f44b %d"


def main():
    binary, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with tempfile.TemporaryDirectory(prefix="sabir-learn-") as folder, Sabir(binary, Path(folder, "far"), PEOPLE) as far:
        upstreams = f'[[route]]\nfrom = "*:{HOME}"\nto = "local:{HOME}"\n' + "".join(f'[upstream.{name}]\ndialect = "{name}"\nurl = "http://{far.address}"\n{credential}\n'
            f'[[route]]\nfrom = "*:{name}"\nto = "{name}:den"\n' for name, credential in CREDENTIALS.items())
        with Sabir(binary, Path(folder, "near"), PEOPLE + upstreams) as near:
            asked = run(near.address, rounds)
    print(f"learn: {asked} requests in {', '.join(DIALECTS)}, kept here and relayed by {', '.join(CREDENTIALS)}")


class Sabir:
    """A process of its own, with its store; it ends as an operator ends it."""

    def __init__(self, binary, folder, config):
        folder.mkdir()
        (folder / "sabir.toml").write_text('[listen]\npublic = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n' + config)
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([binary], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"http://(\S+)", line)
        self.address = found[1] if found else sys.exit((folder / "log").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60):
            sys.exit(f"Sabir ended with {self.process.returncode}")


class Client:
    """One connection, that is kept."""

    def __init__(self, address):
        self.connection, self.asked = http.client.HTTPConnection(address, timeout=60), 0

    def ask(self, method, target, body=None, **headers):
        headers = {"User-Agent": "learn", "Accept": "*/*", **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.connection.request(method, target, body, headers)
        reply = self.connection.getresponse()
        text = reply.read().decode()
        self.asked += 1
        return json.loads(text) if reply.status in (200, 201) else refused(target, f"{reply.status} {text}")


def refused(what, why):
    raise RuntimeError(f"{what} was not done: {why}")


class KeyAuth(Client):
    def __init__(self, address):
        super().__init__(address)
        self.session = None
        self.session = self.call(type="init", ver="1.0")["sessionid"]
        self.call(type="login", username="alice", **{"pass": "a-password"})

    def call(self, **form):
        form = {**form, "name": "learn", "ownerid": OWNERID, **({"sessionid": self.session} if self.session else {})}
        told = self.ask("POST", "/api/1.2/", urlencode(form), Content_Type="application/x-www-form-urlencoded")
        return told if told["success"] else refused(form["type"], told)

    def send(self, channel, text):
        self.call(type="chatsend", channel=channel, message=text)

    def list(self, channel):
        return self.call(type="chatget", channel=channel)["messages"]


class Rooms(Client):
    OWN = {"Authorization": "Bearer a-token"}

    def send(self, channel, text):
        body = json.dumps({"room": channel, "text": text})
        self.ask("POST", "/chat-messages", body, Content_Type="application/json", **self.OWN)

    def list(self, channel):
        return self.ask("GET", f"/chat-messages?room={channel}", **self.OWN)


class Glimesh(Client):
    """Documents that come again, with variables, and such that never do."""
    SEND = """mutation ($id: ID!, $text: String) {
        createChatMessage(channelId: $id, message: { message: $text }) { id message insertedAt user { id username avatarUrl } } }"""
    LIST = """query ($id: ID) { channel(id: $id) { id title chatMessages(last: 10) { edges { cursor node {
        id message insertedAt user { id username avatarUrl } tokens { type text ... on UrlToken { url } } } } pageInfo { hasNextPage } } } }"""

    def document(self, query, **variables):
        headers = {"Content-Type": "application/json", "Authorization": "Bearer a-token"}
        told = self.ask("POST", "/api/graph", json.dumps({"query": query, "variables": variables}), **headers)
        return refused(query, told["errors"][0]) if "errors" in told else told["data"]

    def new(self, query):
        return f"# {self.asked} {id(self)}\n{query}"

    def send(self, channel, text):
        self.document(self.SEND, id=channel, text=text)
        self.document(self.new(self.SEND), id=channel, text=text)

    def list(self, channel):
        self.document(self.new(self.LIST), id=channel)
        return self.document(self.LIST, id=channel)["channel"]["chatMessages"]["edges"]


class Socket(Client):
    def send(self, channel, text):
        form = urlencode({"channel": channel, "event": "message", "data": text})
        told = self.ask("POST", "/chat/send", form, Content_Type="application/x-www-form-urlencoded", Authorization=f"key={KEY}")
        return told if told["code"] == 0 else refused("a message", told)


class Chats(Client):
    OWN = {"Authorization": "Bearer a-token"}

    def send(self, channel, text):
        body = json.dumps({"message": text})
        self.ask("POST", f"/api/chats/{channel}/messages", body, Content_Type="application/json", **self.OWN)

    def list(self, channel):
        return self.ask("GET", f"/api/chats/{channel}/messages", **self.OWN)


class Slack(Client):
    OWN = {"Authorization": "Bearer a-token"}

    def call(self, name, **form):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        told = self.ask("POST", f"/api/{name}", urlencode(form), **kind, **self.OWN)
        return told if told["ok"] else refused(name, told)

    def send(self, channel, text):
        self.call("chat.postMessage", channel=channel, text=text)

    def list(self, channel):
        return self.call("conversations.history", channel=channel)["messages"]


class Discord(Client):
    OWN = {"Authorization": "Bot a-token"}

    def send(self, channel, text):
        kind = {"Content-Type": "application/json"}
        self.ask("POST", f"/api/v10/channels/{channel}/messages", json.dumps({"content": text}), **kind, **self.OWN)

    def list(self, channel):
        return self.ask("GET", f"/api/v10/channels/{channel}/messages", **self.OWN)


class Matrix(Client):
    OWN = {"Authorization": "Bearer a-token"}

    def send(self, channel, text):
        body = json.dumps({"msgtype": "m.text", "body": text})
        target = f"/_matrix/client/v3/rooms/{channel}/send/m.room.message/{id(self)}-{self.asked}"
        self.ask("PUT", target, body, Content_Type="application/json", **self.OWN)

    def list(self, channel):
        return self.ask("GET", f"/_matrix/client/v3/rooms/{channel}/messages?dir=b", **self.OWN)["chunk"]


DIALECTS = {"keyauth": KeyAuth, "rooms": Rooms, "glimesh": Glimesh, "socket": Socket, "chats": Chats,
            "slack": Slack, "discord": Discord, "matrix": Matrix}


def run(address, rounds):
    """All clients at once, and the requests that were answered."""
    clients = [dialect(address) for dialect in DIALECTS.values() for _ in range(CLIENTS // len(DIALECTS) + 1)]
    failed = []

    def use(client):
        try:
            for number in range(rounds):
                for channel in (HOME, *CREDENTIALS):
                    for _ in range(4):
                        client.send(channel, TEXT % number)
                    if hasattr(client, "list") and channel not in UNREADABLE and not client.list(channel):
                        refused(f"a list of {channel}", "it is empty")
        except Exception as why:
            failed.append(f"{type(client).__name__}: {why}")

    threads = [threading.Thread(target=use, args=(client,)) for client in clients]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sys.exit("\n".join(failed)) if failed else sum(client.asked for client in clients)


if __name__ == "__main__":
    main()
