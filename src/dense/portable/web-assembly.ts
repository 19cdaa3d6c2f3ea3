/**
 * What of the WebAssembly interface is used; TypeScript declares it only together with the DOM.
 */

/** A memory that threads share. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

interface Interface {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** The interface; to name one of its classes throws TypeError where a process has none. */
export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: Interface };
