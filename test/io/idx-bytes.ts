/** The bytes of an IDX file, by type, shape and payload. */
export function idxBytes(type: number, shape: number[], payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, type, shape.length]);
  shape.forEach((n, k) => head.writeUInt32BE(n, 4 + 4 * k));
  return Buffer.concat([head, payload]);
}
