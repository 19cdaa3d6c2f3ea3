/**
 * Vectors laid out like θ in Kronecker eigenbases on a device (../objective/turn.ts has the stages): L = U_AᵀF, X =
 * L·U_Γ, what is done there, R = U_A·X, T = R·U_Γᵀ, products of all layers in a launch each. Bases are those of dense
 * sides; others are the identity.
 */
import type { ProductTarget } from '../../device/work/products.js';
import { place, transposed, type DeviceStep } from '../../tape/device/recorder.js';
import type { DeviceObjective } from '../device/device-objective.js';
import { copyStep } from '../device/launch-steps.js';
import type { Side } from './kronecker-sides.js';

/** A vector that is turned. */
export interface DeviceTurn {
  readonly sides: readonly (readonly [Side, Side])[];
  /** Whether a layer's bases are taken, its sides are the identity, or its part stays out. */
  readonly layers: readonly ('turned' | 'copied' | 'out')[];
  /** Where F, L, X, R and T begin; L and T may be one vector. */
  readonly at: Readonly<Record<'from' | 'left' | 'x' | 'right' | 'to', number>>;
  /** Whether X is made of F, and T of X. */
  readonly enters: boolean;
  readonly leaves: boolean;
  /** X of a layer ← what is done with the numbers at `from`, which may be X. */
  readonly between?: ((layer: number, x: number, from: number) => DeviceStep) | undefined;
}

/** Its launches. */
export function turnSteps(objective: Pick<DeviceObjective, 'network' | 'placeOf'>, turn: DeviceTurn): DeviceStep[] {
  const { sides, layers, at, enters, leaves, between } = turn;
  const [left, turned, back, out]: ProductTarget[][] = [[], [], [], []];
  const steps: DeviceStep[] = [];
  const copies: DeviceStep[] = [];
  objective.network.layers.forEach(({ offset, width, outputs }, ℓ) => {
    if (layers[ℓ] === 'out') return;
    const own = (at: number) => place(at, width);
    const basis = ({ vectors, size }: Side) => place(objective.placeOf(vectors!), size);
    const [input, output] = sides[ℓ].map((side) => (side.dense && layers[ℓ] === 'turned' ? basis(side) : null));
    const [from, l, x, right, to] = [at.from, at.left, at.x, at.right, at.to].map((begin) => begin + offset);
    const target = (c: number, a: ProductTarget['c'], b: ProductTarget['c'], depth: number): ProductTarget => ({
      c: own(c),
      rows: width,
      columns: outputs,
      terms: [{ a, b, depth }],
    });
    let entered = x;
    if (enters) {
      if (input !== null) left.push(target(l, transposed(input), own(from), width));
      entered = input === null ? from : l;
      if (output !== null) {
        turned.push(target(x, own(entered), output, outputs));
        entered = x;
      }
    }
    if (between !== undefined) steps.push(between(ℓ, x, entered));
    else if (entered !== x) steps.push(copyStep(x, entered, width * outputs));
    if (!leaves) return;
    if (input !== null) back.push(target(right, input, own(x), width));
    const returned = input === null ? x : right;
    if (output !== null) out.push(target(to, own(returned), transposed(output), outputs));
    else copies.push(copyStep(to, returned, width * outputs));
  });
  const products = (targets: ProductTarget[]): DeviceStep[] => (targets.length > 0 ? [{ keep: false, targets }] : []);
  return [...products(left), ...products(turned), ...steps, ...products(back), ...products(out), ...copies];
}
