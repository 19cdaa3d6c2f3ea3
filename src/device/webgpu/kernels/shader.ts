/**
 * Kernels of planned work in WGSL: what they are bound to, and their text.
 *
 * WebGPU does not let one buffer be bound twice where it is written, so operands that are one buffer are one binding: a
 * kernel's text names its operands by what they are bound to, and is compiled anew for each such pattern.
 */

/** A kernel: its text, but for what it is bound to. */
export interface Kernel {
  /** Tells it from all others. */
  readonly name: string;
  /** Lists that it reads, of whole numbers. */
  readonly lists: readonly string[];
  readonly operands: readonly string[];
  /** Those that it writes. */
  readonly writes: readonly string[];
  /** Whether it reads the width of a row. */
  readonly takesWidth: boolean;
  /**
   * The functions of the kernel, `main` among them. `of` gives the array that an operand stands in; the words of the
   * constants are `word(i)` and `number(i)`, the width of a row is `widths.x`, and `groupOf` numbers the workgroup.
   */
  readonly body: (of: Readonly<Record<string, string>>) => string;
}

/** Words of the constants of a step, after the number of its workgroups and how many stand in a row. */
export const CONSTANT_WORDS = 16;

/** The number of a float in words. */
export function wordOfFloat(value: number): number {
  const words = new Uint32Array(1);
  new Float32Array(words.buffer)[0] = value;
  return words[0];
}

/** The text, where operand i is the buffer that operand same[i] is, too. */
export function textOf({ lists, operands, writes, takesWidth, body }: Kernel, same: readonly number[]): string {
  const arrays = [...new Set(same)].map((first) => {
    const written = operands.some((name, i) => same[i] === first && writes.includes(name));
    return { first, access: written ? 'read_write' : 'read' };
  });
  const of = Object.fromEntries(operands.map((name, i) => [name, `operand${same[i]}`]));
  const bindings = [
    ...lists.map((name) => `var<storage, read> ${name}: array<u32>;`),
    ...arrays.map(({ first, access }) => `var<storage, ${access}> operand${first}: array<f32>;`),
    // What a kernel does not read must not be bound.
    ...(takesWidth ? ['var<uniform> widths: vec4u;'] : []),
  ];
  return `
@group(0) @binding(0) var<uniform> constants: array<vec4u, ${CONSTANT_WORDS / 4}>;
${bindings.map((text, i) => `@group(0) @binding(${i + 1}) ${text}`).join('\n')}

fn word(i: u32) -> u32 { return constants[i / 4u][i % 4u]; }
fn number(i: u32) -> f32 { return bitcast<f32>(word(i)); }
fn groupOf(group: vec3u) -> u32 { return group.x + group.y * word(1u); }
${body(of)}
`;
}
