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

/** A module that was written in base64. Throws what WebAssembly throws where it cannot be compiled. */
export function compiledFrom(encoded: string): object {
  const text = atob(encoded);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return new WebAssembly.Module(bytes);
}

/** The interface; to name one of its classes throws TypeError where a process has none. */
export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: Interface };
