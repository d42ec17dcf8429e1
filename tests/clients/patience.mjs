// Waiting for conditions.
import { setTimeout as wait } from 'node:timers/promises';

// Several clients start at once, and other tests may run beside: what a quiet machine does in one second takes a busy one ten.
const PATIENCE = 30_000;

export async function until(what, holds, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${patience / 1000} s: ${typeof what === 'function' ? await what() : what}`);
    await wait(20);
  }
}
