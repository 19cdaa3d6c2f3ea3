/** The squared error ‖f − y‖²: gradient 2(f − y), Q = 2I. PyTorch's sum over outputs and mean over samples. */
import { squaredLoss } from './squared.js';

/** ‖f − y‖². */
export const squaredError = squaredLoss(() => 2, '‖f − y‖²');
