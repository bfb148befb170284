import { Component, type ReactNode } from "react";

interface Props {
  /** What is drawn here, in a word or two. */
  what: string;
  children: ReactNode;
}

/** Keeps what cannot be drawn from taking the rest of the page along. */
export class Fence extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <p className="fence" role="alert" data-testid="fence">
        The {this.props.what} cannot be drawn. The graph itself is unharmed.
      </p>
    );
  }
}
