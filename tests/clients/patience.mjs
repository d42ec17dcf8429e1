// Waiting for conditions.
import { setTimeout as wait } from 'node:timers/promises';

const PATIENCE = 10_000;

export async function until(what, holds, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${patience / 1000} s: ${typeof what === 'function' ? await what() : what}`);
    await wait(20);
  }
}
