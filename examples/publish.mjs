#!/usr/bin/env node
// Publish to Fanfare with node alone (18 or later): one event, then NDJSON.
//
// FANFARE_URL and FANFARE_TOKEN say where and with which token; without them the server running on this machine is found
// through its run file, as `fanfare publish` does.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const ATTEMPTS = 6;

function target() {
  const { FANFARE_URL: url, FANFARE_TOKEN: token, XDG_STATE_HOME: state } = process.env;
  if (url && token) return { url, token };
  return JSON.parse(readFileSync(join(state || join(homedir(), ".local/state"), "fanfare/run.json"), "utf8"));
}

const { url, token } = target();

// Sends until there is an answer that will not change: a lost connection, 429 and 5xx are tried again, later each time
// and not before the server says. Nothing is delivered twice, because every event has an `id` and a `source`.
async function publish(contentType, body) {
  for (let attempt = 1; ; attempt += 1) {
    let after = 0;
    try {
      const answer = await fetch(new URL("/api/events", url), {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": contentType },
        body,
        signal: AbortSignal.timeout(60_000),
      });
      const text = (await answer.text()).trim();
      if ((answer.status !== 429 && answer.status < 500) || attempt === ATTEMPTS) return { status: answer.status, text };
      after = Number(answer.headers.get("retry-after")) || 0;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await wait(1000 * Math.max(after, 0.25 * 2 ** attempt * (0.75 + Math.random() / 2)));
  }
}

// One event.
const run = `${process.pid}-${Date.now()}`;
const event = { type: "message", id: `hello-${run}`, source: "/publish.mjs", data: { text: "hello from node" } };
const one = await publish("application/json", JSON.stringify(event));
console.log(one.status, one.text);

// Many events, one per line, and one answer per line. A line that found no room is answered `busy`: those go again.
let lines = Array.from({ length: 5 }, (_, number) => {
  const media = { id: `js${number}`, name: `${number}.mkv`, type: "video" };
  const data = { library: "films", medias: [{ action: "Added", media }] };
  return JSON.stringify({ type: "medias", id: `js${number}-${run}`, source: "/publish.mjs", data });
});
let refused = 0;
for (let attempt = 1; lines.length > 0; attempt += 1) {
  const many = await publish("application/x-ndjson", lines.join("\n"));
  const answers = many.text.split("\n");
  for (const line of answers) console.log(many.status, line);
  const busy = (line) => line !== undefined && JSON.parse(line).status === 503;
  refused += answers.filter((line) => "error" in JSON.parse(line) && !busy(line)).length;
  if (many.status !== 200 || attempt === ATTEMPTS) break;
  lines = lines.filter((_, index) => busy(answers[index]));
  if (lines.length > 0) await wait(1000);
}
process.exitCode = one.status === 200 && refused === 0 && lines.length === 0 ? 0 : 1;
