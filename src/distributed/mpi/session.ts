/**
 * MPI after MPI_Init: functions whose failures are errors, handles, and what is under way.
 */
import { CommunicationError } from '../../core/errors.js';
import { arrayAddress } from '../../native/koffi.js';
import type { CommunicatedArray, Reduction, Request } from '../communicator.js';
import type { MpiFunctions, MpiName } from './functions.js';
import { typeOf, type MpiLibrary } from './library.js';

/** The values of the handles that operations name. */
interface Handles {
  readonly world: number;
  readonly errorsReturn: number;
  readonly types: Readonly<Record<ReturnType<typeof typeOf>, number>>;
  readonly reductions: Readonly<Record<Reduction, number>>;
}

/** All values of a table of handles. */
const valuesOf = <K extends string>(
  library: MpiLibrary,
  names: Readonly<Record<K, string | number>>,
): Record<K, number> =>
  Object.fromEntries(
    Object.entries<string | number>(names).map(([key, name]) => [key, library.handle(name)]),
  ) as Record<K, number>;

/** One process's MPI: there is one, from MPI_Init to MPI_Finalize. */
export class MpiSession {
  readonly library: MpiLibrary;
  readonly handles: Handles;
  /** Most elements of one call, whose counts are 32-bit integers; more are split. */
  readonly largestCount: number;
  /** Operations that are not done: their arrays must stay reachable, whatever the caller does with the request. */
  readonly pending = new Set<Request & { readonly owner: object }>();
  readonly #functions: MpiFunctions;
  /** A slot that functions write a handle or an integer to. */
  readonly #slot = new BigInt64Array(1);
  readonly #slotAsInt = new Int32Array(this.#slot.buffer);
  readonly #slotAt: number;
  #rank = 0;
  #size = 1;

  constructor(library: MpiLibrary, functions: MpiFunctions, largestCount: number) {
    this.library = library;
    this.#functions = functions;
    this.largestCount = largestCount;
    this.#slotAt = arrayAddress(this.#slot);
    const { world, errorsReturn, types, reductions } = library.interface;
    this.handles = {
      world: library.handle(world),
      errorsReturn: library.handle(errorsReturn),
      types: valuesOf(library, types),
      reductions: valuesOf(library, reductions),
    };
  }

  /** Of MPI_COMM_WORLD. */
  get rank(): number {
    return this.#rank;
  }
  get size(): number {
    return this.#size;
  }

  /** Learns rank and size; from here on failures of MPI are returned to us instead of ending the program. */
  begin(): void {
    const { world, errorsReturn } = this.handles;
    this.call('MPI_Comm_set_errhandler', world, errorsReturn);
    this.#rank = this.integer('MPI_Comm_rank', world);
    this.#size = this.integer('MPI_Comm_size', world);
  }

  /** Calls a function of MPI. Throws CommunicationError where it does not return MPI_SUCCESS. */
  call(name: MpiName, ...values: number[]): void {
    const code = this.#functions[name](...values);
    if (code !== 0) this.fail(name, code);
  }

  /** Calls a function that writes an integer to its last argument. */
  integer(name: MpiName, ...values: number[]): number {
    this.#slot[0] = 0n;
    this.call(name, ...values, this.#slotAt);
    return this.#slotAsInt[0];
  }

  /** Calls a function that writes a handle to its last argument. */
  handle(name: MpiName, ...values: number[]): number {
    this.#slot[0] = 0n;
    this.call(name, ...values, this.#slotAt);
    return this.library.interface.handleBytes === 8 ? Number(this.#slot[0]) : this.#slotAsInt[0];
  }

  /** Calls a function that takes the address of a handle. */
  release(name: 'MPI_Comm_free', handle: number): void {
    if (this.library.interface.handleBytes === 8) this.#slot[0] = BigInt(handle);
    else this.#slotAsInt[0] = handle;
    this.call(name, this.#slotAt);
  }

  /** Throws CommunicationError: what MPI says of its code, on which rank. */
  fail(name: MpiName, code: number): never {
    const text = new Uint8Array(1024);
    const length = new Int32Array(1);
    this.#functions.MPI_Error_string(code, arrayAddress(text), arrayAddress(length));
    const said = new TextDecoder().decode(text.subarray(0, length[0])).trim();
    throw new CommunicationError(
      `${name} failed on rank ${this.#rank} of ${this.#size} (${this.library.version}): ${said}. All ranks must call ` +
        'the same operations in the same order, with lengths that agree.',
      { function: name, code, rank: this.#rank, size: this.#size, library: this.library.description },
    );
  }

  /** The MPI_Datatype of an array's elements. */
  typeHandle(data: CommunicatedArray): number {
    return this.handles.types[typeOf(data)];
  }

  /** Throws CommunicationError unless the message of a receive's status has that many elements. */
  requireCount(statusAt: number, data: CommunicatedArray, expected: number, from: number, tag: number): void {
    const count = this.integer('MPI_Get_count', statusAt, this.typeHandle(data));
    if (count === expected) return;
    const held = count < 0 ? 'another type' : `${count} elements`;
    throw new CommunicationError(
      `The message from rank ${from} to rank ${this.#rank} with tag ${tag} holds ${held}; ${expected} elements of ` +
        `${typeOf(data)} were to be received.`,
      { rank: this.#rank, from, tag, count, expected },
    );
  }
}

/** Calls `act` for each piece of at most `most` of `count` elements: first element and elements; once for none. */
export function inPieces(count: number, most: number, act: (first: number, elements: number) => void): void {
  let first = 0;
  do {
    const elements = Math.min(most, count - first);
    act(first, elements);
    first += elements;
  } while (first < count);
}
