export {
  ActivationConnection,
  type ActivationConnectionOptions,
  type ActivationQuestion,
} from './activation-connection.ts';
export { AdvisedError } from './advised-error.ts';
