#compdef kpush
# zsh completion for kpush, as a file _kpush of fpath or by: source <(kpush completion zsh)

_kpush() {
  local answer directive line value about
  local -a described nospace
  answer=$(kpush __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null) || return 1
  directive=${answer##*:}
  [[ $directive == [0-9] ]] || return 1
  for line in "${(@f)answer}"; do
    [[ $line == :[0-9] || -z $line ]] && continue
    value=${line%%$'\t'*}
    about=
    [[ $line == *$'\t'* ]] && about=:${line#*$'\t'}
    described+=("${value//:/\\:}$about")
  done
  ((directive & 2)) && nospace=(-S '')
  if ((${#described})); then
    _describe kpush described $nospace && return 0
  fi
  if ((!(directive & 4))); then
    [[ $PREFIX == --*=* ]] && compset -P '*='
    _files && return 0
  fi
  return 1
}

if [[ $funcstack[1] == _kpush ]]; then
  _kpush "$@"
else
  compdef _kpush kpush
fi
