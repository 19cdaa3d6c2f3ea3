/**
 * The factorization of a HODLR matrix that several ranks have, above the nodes that they share: each rank has the rows
 * of its own leaves there, and from siblings what is small. A level takes, in messages one after the other, the
 * children's triangles, then sums of projections and then triangles of QR for each level of the share below it, of
 * O(k²) numbers each: O(log²P) messages in all.
 *
 * Nodes above the share are worked on by the calling thread of every rank that holds them, each on its own rows.
 */
import { floats } from '../../../core/floats.js';
import type { Blas } from '../../../dense/blas.js';
import type { FloatArray } from '../../../dense/matrix.js';
import type { Communicator } from '../../../distributed/communicator.js';
import { blockLevel } from '../../matrix/row-blocks.js';
import { addUp, SiblingExchange } from '../../ranks/exchange.js';
import { heldNodes, type Share } from '../../ranks/share.js';
import { Recursion } from './factor.js';
import { triangleOf, type HodlrFactorState } from './factors.js';
import { coupled } from './plan.js';

/** Factors the nodes above the share, once those of each rank are factored. Collective. */
export function factorAbove(state: HodlrFactorState, share: Share, communicator: Communicator, blas: Blas): void {
  const { data, plan } = state;
  const recursion = new Recursion(state, blas);
  const siblings = new SiblingExchange(communicator, share);
  const deepest = blockLevel(data.tree);
  for (let level = share.level - 1; level >= 0; level--) {
    exchangeTriangles(state, share, siblings, level + 1);
    const nodes = heldNodes(share, level);
    const factored = nodes.filter((ν) => recursion.begin(ν));
    if (level === 0) return;
    for (const child of heldNodes(share, level + 1)) recursion.project(child);
    addUp(share, siblings, {
      from: deepest,
      to: level + 1,
      numbers: (child, c) => recursion.projections(child, c),
      add: (child, c) => recursion.addProjections(child, c),
    });
    siblings.run(level + 1, (child) => recursion.projections(child, child));
    for (const ν of factored) if (coupled(plan, ν)) recursion.update(ν);
    const { qr } = recursion;
    for (const ν of nodes) qr.factorBlocks(ν);
    addUp(share, siblings, {
      from: deepest,
      to: level,
      numbers: (ν, c) => qr.numbers(ν, c),
      add: (ν, c) => qr.combine(ν, c),
    });
    for (const ν of nodes) qr.expand(ν);
  }
}

/** Status and R of the nodes of a level, to those who hold their parents. */
function exchangeTriangles(state: HodlrFactorState, share: Share, siblings: SiblingExchange, level: number): void {
  const { status, plan } = state;
  const received = new Map<number, FloatArray>();
  siblings.run(level, (ν) => {
    const { data, offset, rows: k } = triangleOf(state, ν);
    const numbers = floats(1 + k * k, plan.precision);
    if (share.held[ν] === 0) received.set(ν, numbers);
    else {
      numbers[0] = status[ν];
      numbers.set(data.subarray(offset, offset + k * k) as never, 1);
    }
    return numbers;
  });
  for (const [ν, numbers] of received) {
    status[ν] = numbers[0];
    const { data, offset } = triangleOf(state, ν);
    data.set(numbers.subarray(1) as never, offset);
  }
}
