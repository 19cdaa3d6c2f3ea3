/**
 * The text of a portable kernel (../portable-kernel.ts) in CUDA C++.
 */
import type { Precision } from '../../core/floats.js';
import { GROUP_THREADS, type KernelSum, type PortableKernel } from '../portable-kernel.js';
import { REAL } from './kernels/source.js';

/** Numbers with a point in the kernel's precision: they are doubles otherwise. */
const inPrecision = (text: string, precision: Precision): string =>
  precision === 'f64' ? text : text.replace(/(?<![\w.])(\d+\.\d*(?:e[+-]?\d+)?)/g, '$1f');

const START: Readonly<Record<KernelSum['join'], Readonly<Record<Precision, string>>>> = {
  sum: { f64: '0.0', f32: '0.0' },
  max: { f64: '-1.7976931348623157e308', f32: '-3.4028234e38' },
};
const joined = ({ join }: KernelSum, a: string, b: string): string =>
  join === 'sum' ? `${a} + ${b}` : `max(${a}, ${b})`;

/** What stands before kernels of a precision. */
export const portableHead = (precision: Precision): string => `typedef ${REAL[precision]} real;
template <class T> static __device__ __forceinline__ T select(T no, T yes, bool condition) {
  return condition ? yes : no;
}
`;

/** The name of a kernel's function. */
export const portableName = ({ name }: PortableKernel, byThread: boolean, precision: Precision): string =>
  `${name.replace(/\W+/g, '_')}_${byThread ? 'threads' : 'groups'}_${precision}`;

/**
 * The kernel, its i one thread each, or one block each. Its parameters: addresses of the buffers, reals as doubles, how
 * many i, whole numbers.
 */
export function portableText(kernel: PortableKernel, byThread: boolean, precision: Precision): string {
  const { buffers, integers, reals = [], body, sum } = kernel;
  const name = portableName(kernel, byThread, precision);
  const members = [
    ...buffers.map((buffer) => `real* ${buffer};`),
    ...reals.map((real) => `double ${real};`),
    ...['_launched', ...integers].map((integer) => `int ${integer};`),
  ];
  const names = [
    ...buffers.map((buffer) => `real* const ${buffer} = _p.${buffer};`),
    ...reals.map((real) => `const real ${real} = (real)_p.${real};`),
    ...integers.map((integer) => `const int ${integer} = _p.${integer};`),
  ];
  const work = byThread ? threadWork(body, sum, precision) : groupWork(body, sum!, precision);
  return `struct Of_${name} { ${members.join(' ')} };
extern "C" __global__ void __launch_bounds__(${GROUP_THREADS}) ${name}(const Of_${name} _p) {
  const int _thread = threadIdx.x;
  ${names.join('\n  ')}
  ${inPrecision(work, precision)}
}
`;
}

function threadWork(body: string, sum: KernelSum | undefined, precision: Precision): string {
  const total =
    sum === undefined
      ? ''
      : `real total = ${START[sum.join][precision]};
  for (int k = 0; k < ${sum.terms}; k++) {
    real value = 0.0;
    ${sum.text}
    total = ${joined(sum, 'total', 'value')};
  }`;
  return `const int i = blockIdx.x * ${GROUP_THREADS} + _thread;
  if (i >= _p._launched) return;
  ${total}
  ${body}`;
}

const groupWork = (body: string, sum: KernelSum, precision: Precision): string => `const int i = blockIdx.x;
  __shared__ real _parts[${GROUP_THREADS}];
  real _own = ${START[sum.join][precision]};
  for (int k = _thread; k < ${sum.terms}; k += ${GROUP_THREADS}) {
    real value = 0.0;
    ${sum.text}
    _own = ${joined(sum, '_own', 'value')};
  }
  _parts[_thread] = _own;
  __syncthreads();
  for (int _half = ${GROUP_THREADS / 2}; _half > 0; _half /= 2) {
    if (_thread < _half) _parts[_thread] = ${joined(sum, '_parts[_thread]', '_parts[_thread + _half]')};
    __syncthreads();
  }
  if (_thread > 0) return;
  const real total = _parts[0];
  ${body}`;
