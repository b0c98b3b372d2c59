"""Runs as jobs of a SLURM cluster, through its own commands: sbatch, squeue, scancel and scontrol."""
