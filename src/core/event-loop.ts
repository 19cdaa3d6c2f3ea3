/**
 * Turns of the event loop, in which timers, messages and signals arrive.
 */

/** What is used of a channel as browsers have it. */
interface Channel {
  readonly port1: { onmessage: (() => void) | null };
  readonly port2: { postMessage(message: unknown): void };
}

/** Its messages end turns: browsers make timers wait for 4 ms, messages not at all. */
let channel: Channel | undefined;
const waiting: (() => void)[] = [];

function turnByMessage(resolve: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel() as unknown as Channel;
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(resolve);
  channel.port2.postMessage(undefined);
}

/** Resolves in the event loop's next turn: after what waits there already. */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else turnByMessage(resolve);
  });
