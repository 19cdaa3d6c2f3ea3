/**
 * Methods whose vectors lie here or on a device: they are written once, as generators that hand over a promise where
 * they wait for numbers. Here nothing is waited for, and they run through at once.
 */

/** Work that comes to a T. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** What is known already. */
export function ready<T>(value: T): Steps<T> {
  const steps = {
    next: () => ({ done: true, value }),
    return: () => ({ done: true, value }),
    throw(error: unknown): never {
      throw error;
    },
    [Symbol.iterator]: () => steps,
  };
  return steps as unknown as Steps<T>;
}

/** What a promise comes to. */
export function* awaited<T>(promise: Promise<T>): Steps<T> {
  return (yield promise) as T;
}

/** Runs through work that waits for nothing. Throws what it throws. */
export function now<T>(steps: Steps<T>): T {
  const { done, value } = steps.next();
  if (done !== true) throw new RangeError('The work waits for a device.');
  return value;
}

/** Runs work that waits now and then. Rejects with what it throws. */
export async function later<T>(steps: Steps<T>): Promise<T> {
  let next = steps.next();
  while (next.done !== true) {
    let value: unknown;
    try {
      value = await next.value;
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(value);
  }
  return next.value;
}
