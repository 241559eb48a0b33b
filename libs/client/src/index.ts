export {
  ActivationConnection,
  type ActivationConnectionOptions,
  type ActivationQuestion,
} from './activation-connection.ts';
export { type Advice, AdvisedError } from './advised-error.ts';
export { type ConfirmedInstallation, confirmMak, type MakGateway, type MakQuestion } from './confirm-mak.ts';
