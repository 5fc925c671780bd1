"""Stub."""
from shared.contracts.voting import VotingOutput
def markdown_of(question: str, output: VotingOutput) -> str:
    return f"# {output.decision}\n" + "\n".join(ballot.voter for ballot in output.ballots)
