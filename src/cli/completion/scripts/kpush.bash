# bash completion for kpush

# The line is split at spaces, as bash's own words end at each : = and @ too; for the same reason, what
# stands before the last of these is taken off the candidates again.
_kpush() {
  local line cur answer directive candidate value breaks before=
  local -a words
  line=${COMP_LINE:0:COMP_POINT}
  read -ra words <<<"$line"
  cur=
  if [[ $line != *[[:space:]] ]]; then
    cur=${words[${#words[@]} - 1]}
    unset "words[${#words[@]}-1]"
  fi
  COMPREPLY=()
  answer=$(kpush __complete "${words[@]:1}" "$cur" 2>/dev/null </dev/null) || return
  directive=${answer##*:}
  [[ $directive == [0-9] ]] || return
  breaks=${COMP_WORDBREAKS//[^:=@]/}
  if [[ -n $breaks && $cur == *[$breaks]* ]]; then before=${cur%"${cur##*[$breaks]}"}; fi
  while IFS= read -r candidate; do
    [[ $candidate == :[0-9] || -z $candidate ]] && continue
    value=${candidate%%$'\t'*}
    value=${value#"$before"}
    [[ $value == *[^a-zA-Z0-9_./:=@+,-]* ]] && printf -v value %q "$value"
    COMPREPLY+=("$value")
  done <<<"$answer"
  ((directive & 2)) && compopt -o nospace 2>/dev/null
  ((directive & 4)) && compopt +o default 2>/dev/null
  return 0
}
complete -o default -F _kpush kpush
