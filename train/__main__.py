"""`python -m train`, which torchrun starts on every process."""

from train.cli import main

main()
