/** Task definitions for the tests of the team: plain JavaScript, because workers load them as they are. */
import { NonFiniteError } from '#hmatrix/core/errors.js';
import { defineTask } from '#hmatrix/parallel/task.js';

/** out[t] += 1 + args.add; log[t] = the worker. */
export const count = defineTask(import.meta.url, 'count', ({ out, log }, { worker }) => (t, { add }) => {
  out[t] += 1 + add;
  log[t] = worker;
});

/** A sum over the children in a binary tree: out[t] = t + out[2t + 1] + out[2t + 2]. */
export const sumUpward = defineTask(import.meta.url, 'sumUpward', ({ out }) => (t) => {
  out[t] = t + (2 * t + 1 < out.length ? out[2 * t + 1] + out[2 * t + 2] : 0);
});

/** Misbehaves at task `at`, on any thread but the main one if `away`. */
export const misbehave = defineTask(import.meta.url, 'misbehave', ({ turns }, { worker }) => (t, { how, away }) => {
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

export const slow = defineTask(import.meta.url, 'slow', () => () => {
  const end = performance.now() + 5;
  while (performance.now() < end);
});

/** Typed arrays in a nested value, in the order they are met. */
export function arraysIn(value, found = []) {
  if (ArrayBuffer.isView(value)) found.push(value);
  else if (value instanceof Map || value instanceof Set) for (const item of value) arraysIn(item, found);
  else if (typeof value === 'object' && value !== null && !(value instanceof SharedArrayBuffer))
    for (const item of Object.values(value)) arraysIn(item, found);
  return found;
}

const first = (array) => (array instanceof DataView ? array.getInt8(0) : Number(array[0]));
const last = (array) => (array instanceof DataView ? array.getInt8(array.byteLength - 1) : Number(array.at(-1)));
const write = (array, value) => {
  if (array instanceof DataView) array.setInt8(1, value);
  else array[1] = typeof array[1] === 'bigint' ? BigInt(value) : value;
};

/**
 * On a worker: checks that every array of state and arguments begins with its number and ends with the number + 1, and
 * writes number + 2 behind the first.
 */
export const visit = defineTask(import.meta.url, 'visit', (state, { worker }) => (t, args) => {
  if (worker === 0) {
    for (let patience = 0; patience < 250 && Atomics.load(args.turns, 0) === 0; patience++)
      Atomics.wait(args.turns, 0, 0, 20);
    return;
  }
  Atomics.store(args.turns, 0, 1);
  Atomics.notify(args.turns, 0);
  [...arraysIn(state), ...arraysIn(args.nested)].forEach((array, k) => {
    if (first(array) !== k || last(array) !== k + 1)
      throw new RangeError(`array ${k} begins with ${first(array)} and ends with ${last(array)}`);
    write(array, k + 2);
  });
});

/** What tasks throw, by name: `undefined` and other things that are no errors. */
export const THINGS = {
  undefined: undefined,
  null: null,
  false: false,
  zero: 0,
  NaN: Number.NaN,
  empty: '',
  text: 'text',
  object: { code: 7, list: Float64Array.of(1, 2) },
  array: [1, 'two'],
};

/** Throws one of THINGS on the threads named, when each of them has a task; nothing is thrown before. */
export const hurl = defineTask(import.meta.url, 'hurl', ({ turns }, { worker }) => (t, { what, from }) => {
  const mine = from === 'both' || from === (worker === 0 ? 'here' : 'away');
  const wanted = from === 'both' ? 2 : 1;
  if (mine) Atomics.add(turns, 0, 1);
  for (let patience = 0; patience < 1000 && Atomics.load(turns, 0) < wanted; patience++) Atomics.wait(turns, 1, 0, 5);
  if (mine) throw what === 'function' ? () => 0 : THINGS[what];
});

/** Ends its worker's thread in the midst of the task, or does nothing. */
export const end = defineTask(import.meta.url, 'end', ({ turns }, { worker }) => (t, { how }) => {
  if (worker === 0) {
    for (let patience = 0; patience < 250 && Atomics.load(turns, 0) === 0; patience++) Atomics.wait(turns, 0, 0, 20);
    return;
  }
  Atomics.store(turns, 0, 1);
  Atomics.notify(turns, 0);
  if (how === 'exit') process.exit(3);
});

export const nothing = defineTask(import.meta.url, 'nothing', () => () => undefined);

/** Waits without an end, deaf to everything but the end of its thread; the calling thread does nothing. */
export const wait = defineTask(import.meta.url, 'wait', ({ turns }, { worker }) => () => {
  if (worker === 0) {
    for (let patience = 0; patience < 250 && Atomics.load(turns, 0) === 0; patience++) Atomics.wait(turns, 0, 0, 20);
    return;
  }
  Atomics.store(turns, 0, 1);
  Atomics.notify(turns, 0);
  Atomics.wait(turns, 1, 0);
});

/**
 * Each task has `count` parts: out[task·count + part] += 1. The first part of a task that its own worker takes waits
 * until others have begun one, where there are `helpers`. `how` a part ends that another worker has: it may throw, or
 * end its thread.
 */
export const inParts = defineTask(import.meta.url, 'inParts', ({ out, turns, now }, context) => {
  const body = (task, { count, helpers, how }) => {
    now[3 * context.worker] = task;
    now[3 * context.worker + 1] = count;
    now[3 * context.worker + 2] = ['well', 'throws', 'exits', 'own throws'].indexOf(how);
    const before = Atomics.load(turns, 0);
    context.runParts(count, (part) => {
      if (how === 'own throws') throw new NonFiniteError(`part ${part} is NaN`, { part });
      for (let patience = 0; helpers && patience < 250 && Atomics.load(turns, 0) === before; patience++)
        Atomics.wait(turns, 0, before, 20);
      Atomics.add(out, task * count + part, 1);
    });
  };
  body.part = (owner, part) => {
    const [task, count, how] = now.subarray(3 * owner, 3 * owner + 3);
    Atomics.add(turns, 0, 1);
    Atomics.notify(turns, 0);
    if (how === 1) throw new NonFiniteError(`part ${part} is NaN`, { part });
    if (how === 2 && context.worker > 0) process.exit(3);
    Atomics.add(out, task * count + part, 1);
  };
  return body;
});
