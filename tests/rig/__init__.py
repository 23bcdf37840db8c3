"""The test rig: a real kernel, a guard around hostile cells, and eyes for what they leave."""
