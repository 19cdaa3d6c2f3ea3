/** The mean squared error ‖f − y‖²/r: gradient 2(f − y)/r, Q = (2/r)·I. Its mean over samples is `nn.MSELoss()`. */
import { squaredLoss } from './squared.js';

/** ‖f − y‖²/r for r outputs, as PyTorch's MSELoss takes it. */
export const meanSquared = squaredLoss((outputs) => 2 / outputs, '‖f − y‖²/r', 'the MSELoss of PyTorch');
