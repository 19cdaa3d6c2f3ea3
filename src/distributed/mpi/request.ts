/**
 * Operations of MPI under way: one request of ours for the pieces that one operation consists of.
 */
import { arrayAddress } from '../../native/koffi.js';
import type { CommunicatedArray, Request } from '../communicator.js';
import type { MpiSession } from './session.js';

/** A receive among the pieces, whose length is checked when it is done. */
interface Receive {
  readonly piece: number;
  readonly data: CommunicatedArray;
  readonly elements: number;
  readonly from: number;
  readonly tag: number;
}

/** The pieces of one operation. `next` gives the place of each handle before the operation is started by `begin`. */
export class MpiRequest implements Request {
  readonly #session: MpiSession;
  readonly #handles: Uint8Array;
  readonly #handlesAt: number;
  readonly #statuses: Int32Array;
  readonly #statusesAt: number;
  readonly #flag = new Int32Array(1);
  readonly #receives: Receive[] = [];
  /** Kept reachable while MPI works on them. */
  readonly #arrays: readonly CommunicatedArray[];
  #pieces = 0;
  #done = false;

  /** Whose operation it is. */
  readonly owner: object;

  /** For at most `pieces` of them, which read and write `arrays`. */
  constructor(session: MpiSession, owner: object, pieces: number, arrays: readonly CommunicatedArray[]) {
    const { handleBytes, statusBytes } = session.library.interface;
    this.#session = session;
    this.owner = owner;
    this.#arrays = arrays;
    this.#handles = new Uint8Array(Math.max(1, pieces) * handleBytes);
    this.#statuses = new Int32Array((Math.max(1, pieces) * statusBytes) / 4);
    this.#handlesAt = arrayAddress(this.#handles);
    this.#statusesAt = arrayAddress(this.#statuses);
    session.pending.add(this);
  }

  /** The arrays that belong to the operation until it is done. */
  get arrays(): readonly CommunicatedArray[] {
    return this.#arrays;
  }

  /** Where MPI writes the handle of the next piece. */
  next(): number {
    return this.#handlesAt + this.#session.library.interface.handleBytes * this.#pieces++;
  }

  /** As `next`, for a message that is received into `data`. */
  nextReceive(data: CommunicatedArray, elements: number, from: number, tag: number): number {
    this.#receives.push({ piece: this.#pieces, data, elements, from, tag });
    return this.next();
  }

  done(): boolean {
    if (this.#done) return true;
    this.#call('MPI_Testall', this.#handlesAt, arrayAddress(this.#flag), this.#statusesAt);
    if (this.#flag[0] === 0) return false;
    this.#finish();
    return true;
  }

  wait(): void {
    if (this.#done) return;
    this.#call('MPI_Waitall', this.#handlesAt, this.#statusesAt);
    this.#finish();
  }

  #call(name: 'MPI_Testall' | 'MPI_Waitall', ...places: number[]): void {
    const { statusBytes, statusError } = this.#session.library.interface;
    // Only where the function itself says that a piece failed are the errors of the statuses written.
    this.#statuses.fill(0);
    try {
      this.#session.call(name, this.#pieces, ...places);
    } catch (error) {
      this.#end();
      for (let piece = 0; piece < this.#pieces; piece++) {
        const code = this.#statuses[(piece * statusBytes) / 4 + statusError];
        // The first failure says what happened; that others are still pending follows from it.
        if (code !== 0) this.#session.fail(name, code);
      }
      throw error;
    }
  }

  #finish(): void {
    this.#end();
    const { statusBytes } = this.#session.library.interface;
    for (const { piece, data, elements, from, tag } of this.#receives)
      this.#session.requireCount(this.#statusesAt + piece * statusBytes, data, elements, from, tag);
  }

  #end(): void {
    this.#done = true;
    this.#session.pending.delete(this);
  }
}
