/**
 * The images of a convolution's inputs in the order of phases: the image itself without strides, else a copy in scratch
 * memory in which every row of every phase is contiguous.
 */
import type { ChunkAxis } from '../../dense/tensor-kernels.js';
import type { Node } from '../node.js';
import type { Beta, Machine } from '../primitive.js';
import { numbersOf, rowsOf } from '../shape.js';
import { blocksOf, geometryOf, type Phase } from './geometry.js';

const isStrided = (node: Node): boolean => {
  const { strideX, strideY } = geometryOf(node.attributes);
  return strideX * strideY > 1;
};

/** Numbers of scratch memory for the phases of x; `node` has the geometry. */
export const phaseNumbers = (node: Node, x: Node, samples: number): number =>
  isStrided(node) ? numbersOf(x.shape, samples) : 0;

/** Where x stands in the order of phases; with strides it is copied there. */
export function intoPhases(machine: Machine, node: Node, x: Node): number {
  if (!isStrided(node)) return machine.at(x);
  const { tensors } = machine;
  for (const { phase, chunk, image, own, axes } of phasesOf(machine, node, x))
    if (phase.used) tensors.copyChunks(chunk, axes, image, 0, own);
  return machine.scratch;
}

/** Where phases of x are to be written, and what brings them home. */
export interface PhaseTarget {
  readonly at: number;
  readonly beta: Beta;
  readonly done: () => void;
}

/** x, or a place for its phases, to be written with `beta`; `done` then adds them to x, or puts them there. */
export function fromPhases(machine: Machine, node: Node, x: Node, beta: Beta): PhaseTarget {
  if (!isStrided(node)) return { at: machine.at(x), beta, done: () => undefined };
  const done = (): void => {
    const { tensors } = machine;
    for (const { chunk, image, own, axes } of phasesOf(machine, node, x)) {
      const home = axes.map(({ count, from, to }): ChunkAxis => ({ count, from: to, to: from }));
      tensors.copyChunks(chunk, home, own, beta, image);
    }
  };
  return { at: machine.scratch, beta: 0, done };
}

/** A phase: its numbers in the image and in the scratch memory, and how they lie. */
interface PhaseCopy {
  readonly phase: Phase;
  readonly chunk: number;
  readonly image: ReturnType<Machine['part']>;
  readonly own: ReturnType<Machine['part']>;
  readonly axes: readonly ChunkAxis[];
}

function phasesOf(machine: Machine, node: Node, x: Node): PhaseCopy[] {
  const { width, strideX, strideY } = geometryOf(node.attributes);
  const chunk = rowsOf(x.shape) * machine.count;
  const whole = numbersOf(x.shape, machine.count);
  return blocksOf(node.attributes)
    .phases.filter(({ width: w, height: h }) => w * h > 0)
    .map((phase): PhaseCopy => {
      const first = chunk * (phase.x + width * phase.y);
      return {
        phase,
        chunk,
        image: machine.part(machine.at(x) + first, whole - first),
        own: machine.part(machine.scratch + chunk * phase.first, chunk * phase.width * phase.height),
        axes: [
          { count: phase.width, from: strideX * chunk, to: chunk },
          { count: phase.height, from: strideY * width * chunk, to: phase.width * chunk },
        ],
      };
    });
}
