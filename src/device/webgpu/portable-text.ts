/**
 * The text of a kernel (../kernel.ts) in WGSL.
 */
import { GROUP_THREADS, type PortableKernel, type KernelSum } from '../portable-kernel.js';

/** Words of parameters before the kernel's own: how many i, and how many groups stand side by side. */
const OWN_WORDS = 2;

/** Words of a launch's parameters. */
export const parameterWords = ({ integers, reals = [] }: PortableKernel): number =>
  OWN_WORDS + integers.length + reals.length;

/** Declarations as WGSL has them. */
const inWgsl = (text: string): string => text.replace(/\b(int|real) (\w+) =/g, 'var $2: $1 =');

/** The start of a sum: below every _number, or zero. */
const startOf = ({ join }: KernelSum): string => (join === 'sum' ? '0.0' : '-3.4028234e38');
const joined = ({ join }: KernelSum, a: string, b: string): string =>
  join === 'sum' ? `${a} + ${b}` : `max(${a}, ${b})`;

/** The kernel, its i one thread each, or one group each. */
export function wgslOf(kernel: PortableKernel, byThread: boolean): string {
  const { buffers, integers, reals = [], body, sum } = kernel;
  const members = [
    'launched: int',
    'across: int',
    ...integers.map((n) => `${n}: int`),
    ...reals.map((n) => `${n}: real`),
  ];
  const names = [...integers, ...reals].map((name) => `let ${name} = parameters.${name};`).join('\n  ');
  const work = byThread ? threadWork(body, sum) : groupWork(body, sum!);
  return `
alias int = i32;
alias real = f32;
struct Parameters { ${members.join(', ')} }
@group(0) @binding(0) var<uniform> parameters: Parameters;
${buffers.map((name, k) => `@group(0) @binding(${k + 1}) var<storage, read_write> ${name}: array<real>;`).join('\n')}
${byThread ? '' : `var<workgroup> _parts: array<real, ${GROUP_THREADS}>;`}
@compute @workgroup_size(${GROUP_THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let _number = int(group.x) + int(group.y) * parameters.across;
  let _thread = int(local);
  ${names}
  ${work}
}
`;
}

function threadWork(body: string, sum: KernelSum | undefined): string {
  const total =
    sum === undefined
      ? ''
      : `var total = ${startOf(sum)};
  for (var k = 0; k < ${sum.terms}; k++) {
    var value = 0.0;
    ${inWgsl(sum.text)}
    total = ${joined(sum, 'total', 'value')};
  }`;
  return `let i = _number * ${GROUP_THREADS} + _thread;
  if (i >= parameters.launched) { return; }
  ${total}
  ${inWgsl(body)}`;
}

const groupWork = (body: string, sum: KernelSum): string => `let i = _number;
  if (i >= parameters.launched) { return; }
  var _own = ${startOf(sum)};
  for (var k = _thread; k < ${sum.terms}; k += ${GROUP_THREADS}) {
    var value = 0.0;
    ${inWgsl(sum.text)}
    _own = ${joined(sum, '_own', 'value')};
  }
  _parts[_thread] = _own;
  workgroupBarrier();
  for (var _half = ${GROUP_THREADS / 2}; _half > 0; _half /= 2) {
    if (_thread < _half) { _parts[_thread] = ${joined(sum, '_parts[_thread]', '_parts[_thread + _half]')}; }
    workgroupBarrier();
  }
  if (_thread > 0) { return; }
  let total = _parts[0];
  ${inWgsl(body)}`;
