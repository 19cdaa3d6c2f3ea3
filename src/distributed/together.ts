/**
 * Work of which ranks do different parts, and that may fail on some of them: then it fails on all, by the same error,
 * so that none waits for one that has left.
 */
import { CommunicationError } from '../core/errors.js';
import { isTyped, typedError } from '../core/typed-error.js';
import type { Communicator } from './communicator.js';

/** What an error is told the others by. */
interface Told {
  readonly name: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Numbers that JSON cannot say become texts. */
const sayable = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value;

/** How work ended on this rank. */
type Ended<T> = { readonly value: T } | { readonly thrown: unknown };

/**
 * Collective: runs `act`, in which nothing is communicated, on all ranks. Where it throws on some, all throw what the
 * first of these has thrown, as an error of the same class that names the rank; what is none of the library's errors is
 * quoted by a CommunicationError on the others. One message of a number to and fro.
 */
export function together<T>(communicator: Communicator | undefined, act: () => T): T {
  if (communicator === undefined || communicator.size === 1) return act();
  let ended: Ended<T>;
  try {
    ended = { value: act() };
  } catch (thrown) {
    ended = { thrown };
  }
  return agreed(communicator, ended);
}

/** As `together`, for work that is awaited. */
export async function awaitTogether<T>(communicator: Communicator, act: () => Promise<T>): Promise<T> {
  if (communicator.size === 1) return act();
  return agreed(
    communicator,
    await act().then(
      (value): Ended<T> => ({ value }),
      (thrown: unknown): Ended<T> => ({ thrown }),
    ),
  );
}

function agreed<T>(communicator: Communicator, ended: Ended<T>): T {
  const { rank, size } = communicator;
  const failed = Int32Array.of('thrown' in ended ? size - rank : 0);
  communicator.allreduce(failed, 'max');
  if (failed[0] > 0) throw tell(communicator, size - failed[0], 'thrown' in ended ? ended.thrown : undefined);
  return (ended as { readonly value: T }).value;
}

/** What rank `first` has thrown, on all ranks. Collective. */
function tell(communicator: Communicator, first: number, thrown: unknown): unknown {
  const { rank } = communicator;
  const own = rank === first ? new TextEncoder().encode(JSON.stringify(toldOf(thrown), sayable)) : new Uint8Array(0);
  const length = Int32Array.of(own.length);
  communicator.broadcast(length, first);
  const bytes = rank === first ? own : new Uint8Array(length[0]);
  communicator.broadcast(bytes, first);
  if (rank === first) return thrown;
  const { name, message, data } = JSON.parse(new TextDecoder().decode(bytes)) as Told;
  return (
    typedError(name, message, { ...data, rank: first }) ??
    new CommunicationError(`Rank ${first} failed: ${name}: ${message}`, { rank: first, size: communicator.size, name })
  );
}

function toldOf(thrown: unknown): Told {
  if (isTyped(thrown)) return { name: thrown.name, message: thrown.message, data: thrown.data };
  if (thrown instanceof Error) return { name: `${thrown.name} (of another kind)`, message: thrown.message, data: {} };
  return { name: 'something thrown', message: String(thrown), data: {} };
}
