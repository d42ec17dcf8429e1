#!/usr/bin/env node
// Publish to Fanfare with node alone (18 or later): one event, then NDJSON.
//
// FANFARE_URL and FANFARE_TOKEN say where and with which token; without them the server running on this machine is found
// through its run file, as `fanfare publish` does.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

function target() {
  const { FANFARE_URL: url, FANFARE_TOKEN: token, XDG_STATE_HOME: state } = process.env;
  if (url && token) return { url, token };
  return JSON.parse(readFileSync(join(state || join(homedir(), ".local/state"), "fanfare/run.json"), "utf8"));
}

const { url, token } = target();

async function publish(contentType, body) {
  const answer = await fetch(new URL("/api/events", url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": contentType },
    body,
  });
  return { status: answer.status, text: (await answer.text()).trim() };
}

// One event. With `id` and `source` it may be sent again after a lost connection: it is delivered once.
const event = { type: "message", id: `node-${process.pid}`, source: "/publish.mjs", data: { text: "hello from node" } };
const one = await publish("application/json", JSON.stringify(event));
console.log(one.status, one.text);

// Many events, one per line, and one answer per line.
const lines = Array.from({ length: 5 }, (_, number) => {
  const media = { id: `js${number}`, name: `${number}.mkv`, type: "video" };
  return JSON.stringify({ type: "medias", data: { library: "films", medias: [{ action: "Added", media }] } });
});
const many = await publish("application/x-ndjson", lines.join("\n"));
for (const line of many.text.split("\n")) console.log(many.status, line);

const refused = many.text.split("\n").filter((line) => "error" in JSON.parse(line));
process.exitCode = one.status === 200 && many.status === 200 && refused.length === 0 ? 0 : 1;
