/** A YAML file as its text: the bundler and the test runner make a module of it. */
declare module "*.yaml" {
  const text: string;
  export = text;
}
