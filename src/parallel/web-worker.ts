/**
 * What of the Web Worker interface is used; TypeScript declares it only together with the DOM.
 */
import type { WorkerStart } from './thread.js';

/** A message as it arrives. */
export interface Arrival {
  readonly data: unknown;
}

/** A thread of a browser. */
export interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((arrival: Arrival) => void) | null;
  onerror: ((event: { readonly message?: string | undefined; preventDefault(): void }) => void) | null;
}

/** The globals of a page or of one of its workers. */
export interface WebScope {
  /** Only a page's own thread has one. */
  readonly document?: object | undefined;
  /** Whether memory can be shared between threads. */
  readonly crossOriginIsolated?: boolean | undefined;
  readonly Worker?: (new (url: string) => WebWorker) | undefined;
  readonly Blob: new (parts: readonly string[], options: { readonly type: string }) => object;
  readonly URL: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
  onmessage: ((arrival: Arrival) => void) | null;
  postMessage(message: unknown): void;
}

/** The first message of a worker: how it starts, and where it writes reports of failures (shared-report.ts). */
export interface WebStart extends WorkerStart {
  readonly reports: SharedArrayBuffer;
}
