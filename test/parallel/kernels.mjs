/** Kernels for the tests of the team: plain JavaScript, because workers load them as they are. */
import { NonFiniteError } from '#hmatrix/core/errors.js';
import { phaseKernel } from '#hmatrix/parallel/kernel.js';

/** out[t] += 1 + args.add; log[t] = the worker. */
export const count = phaseKernel(import.meta.url, 'count', ({ out, log }, { worker }) => (t, { add }) => {
  out[t] += 1 + add;
  log[t] = worker;
});

/** A sum over the children in a binary tree: out[t] = t + out[2t + 1] + out[2t + 2]. */
export const sumUpward = phaseKernel(import.meta.url, 'sumUpward', ({ out }) => (t) => {
  out[t] = t + (2 * t + 1 < out.length ? out[2 * t + 1] + out[2 * t + 2] : 0);
});

/** Misbehaves at task `at`, on any thread but the main one if `away`. */
export const misbehave = phaseKernel(import.meta.url, 'misbehave', ({ turns }, { worker }) => (t, { how, away }) => {
  Atomics.add(turns, 0, 1);
  if (away && worker === 0) {
    // Leave something for the others: wait until one of them has had a turn.
    while (Atomics.load(turns, 1) === 0) Atomics.wait(turns, 1, 0, 20);
    return;
  }
  Atomics.store(turns, 1, 1);
  Atomics.notify(turns, 1);
  if (how === 'typed') throw new NonFiniteError(`entry ${t} is NaN`, { row: t });
  if (how === 'plain') throw new TypeError('x is not a function');
  if (how === 'exit') process.exit(3);
  if (how === 'hang') Atomics.wait(turns, 0, Atomics.load(turns, 0));
});

export const slow = phaseKernel(import.meta.url, 'slow', () => () => {
  const end = performance.now() + 5;
  while (performance.now() < end);
});
