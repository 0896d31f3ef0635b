"""ModelScopeT2V, ZeroScope and their relatives."""
